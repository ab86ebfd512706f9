"""The bytes of a fetched batch: its records, or one that stands for what can't be read; what comes behind is read."""

from collections.abc import Sequence
from typing import Any, Final

from service.consume.expand import MOST_BYTES
from service.consume.fetched import FetchedRecords
from service.record import UnreadableBatch
from tests.fuzz.frame import records
from tests.support.batches import CODECS, HEAD, compressed, encoded, sealed

GOOD: Final = encoded([(b"k", b"v", [("h", b"x")])] * 3, first=1_000)
# Batches of the first version of the format are not told apart from its second by length.
LEAST: Final = 70
LAST: Final = 23


def target(data: bytes) -> None:
    """Reads a batch that is made of the bytes, and a good one behind it."""
    if len(data) < HEAD:
        return
    batch = made(data)
    fetched, found = FetchedRecords(batch + GOOD), []
    while fetched.has_next():
        one = fetched.next_batch()
        assert one is not None
        found.append(list(one))
    hostile, good = found
    assert [each.offset for each in good] == [1_000, 1_001, 1_002]
    judge(hostile, batch)


def made(data: bytes) -> bytes:
    """Gives the batch: the first byte says whether the rest is compressed, or to be compressed, and how."""
    ways = list(CODECS.values())
    way, head = data[0] % (2 * len(ways) + 2), bytearray(data[:HEAD])
    # The broker sets offsets and format, and looks at the last offset.
    head[0:8], head[16], head[LAST : LAST + 4] = bytes(8), 2, (200).to_bytes(4)
    batch = sealed(bytes(head) + data[HEAD:])
    if way < len(ways):
        return compressed(batch, *ways[way])
    if way < 2 * len(ways):
        return sealed(batch, ways[way - len(ways)][0])
    if way == 2 * len(ways):
        old = bytearray(batch.ljust(LEAST, b"\x00"))
        old[8:12], old[16] = (len(old) - 12).to_bytes(4), data[1] % 2
        return bytes(old)
    return batch


def judge(found: Sequence[Any], batch: bytes) -> None:
    """Looks at what was read: what stands for the rest comes last, and holds the batch."""
    assert not any(isinstance(each.value, UnreadableBatch) for each in found[:-1])
    assert sum(len(each.value or b"") for each in found) <= MOST_BYTES + len(batch)
    stands = found[-1].value if found else None
    if isinstance(stands, UnreadableBatch):
        assert stands == batch
        assert found[-1].offset == stands.last
        assert stands.why


def seeds() -> Sequence[bytes]:
    """Batches of examples, in every way."""
    messages = [(each.key, each.value, each.headers) for each in records()]
    plain = encoded(messages[:4])
    few = [bytes([way]) + plain[1:] for way in (0, 1, 2, 3, 4, 11)]
    packed = [
        bytes([len(CODECS) + number]) + compressed(plain, *codec)[1:] for number, codec in enumerate(CODECS.values())
    ]
    return [*few, *packed, bytes([10]) + plain[1:], bytes([11]) + encoded([(None, None, ())] * 50)[1:]]
