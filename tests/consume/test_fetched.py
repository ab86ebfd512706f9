import struct
from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from service.consume.expand import MOST_BYTES
from service.consume.fetched import LARGE, MOST_HEADERS, FetchedRecords
from service.record import UnreadableBatch
from tests.support.batches import CODECS, Message, compressed, encoded, filled, sealed

THREE: list[Message] = [(b"a", b"1", [("h", b"x")]), (None, None, [("h", None)]), (b"c", b"", ())]


def read(data: bytes) -> list[Any]:
    """All records of some batches."""
    records, found = FetchedRecords(data), []
    while records.has_next():
        batch = records.next_batch()
        assert batch is not None
        assert batch.validate_crc()
        found += list(batch)
    return found


def content(records: list[Any]) -> list[tuple[Any, ...]]:
    """Offset, key, value and headers."""
    return [(each.offset, each.key, each.value, tuple(each.headers)) for each in records]


def unreadable(record: Any) -> tuple[int, int, int, str]:
    """Offset of what stands for the rest of a batch, first and last of it, and why."""
    value = record.value
    assert isinstance(value, UnreadableBatch)
    assert (record.key, record.headers) == (None, ())
    return record.offset, value.first, value.last, value.why


@pytest.mark.parametrize("name", CODECS)
def test_a_compressed_batch_is_as_the_plain_one(name: str) -> None:
    """Whatever the codec, and beside batches of other codecs; times are those of the batch."""
    plain = encoded(THREE, first=7, stamp=5)
    found = read(compressed(plain, *CODECS[name]) + plain)
    assert content(found[:3]) == content(found[3:])
    assert [(each.offset, each.key, each.timestamp) for each in found[:3]] == [(7, b"a", 5), (8, None, 5), (9, b"c", 5)]


@pytest.mark.parametrize("name", CODECS)
def test_one_record_stands_for_a_batch_that_is_too_large(name: str) -> None:
    """Up to the bound it is read; above, one record has the last offset, the batch's time and its bytes."""
    codec = CODECS[name]
    (whole,) = read(compressed(encoded(filled(MOST_BYTES)), *codec))
    assert len(whole.value) > MOST_BYTES - 100
    bomb = compressed(encoded([*filled(MOST_BYTES), (b"k", b"", ())], first=40, stamp=9), *codec)
    after = encoded(THREE, first=42)
    (stands, *others) = read(bomb + after)
    assert unreadable(stands)[:3] == (41, 40, 41)
    assert "expands to more than" in unreadable(stands)[3]
    assert (stands.value, stands.timestamp) == (bomb, 9)
    assert [each.offset for each in others] == [42, 43, 44]


@pytest.mark.parametrize("name", ["gzip", "lz4", "zstd"])
def test_what_the_broker_reads_and_we_do_not(name: str) -> None:
    """Bytes behind a stream, which Java's libraries pass over, spoil their own batch alone."""
    spoiled = compressed(encoded(THREE), *CODECS[name], after=b"junk")
    assert [unreadable(each)[:3] for each in read(spoiled)] == [(2, 0, 2)]


def test_a_record_that_is_broken_spoils_what_follows_in_its_batch() -> None:
    """What stands before it is read; the rest has one record for it, which names the first that is not."""
    data = bytearray(encoded(THREE, first=3))
    assert data[-4:] == b"\x02c\x00\x00"
    data[-4] = 0x70
    found = read(sealed(bytes(data)))
    assert [each.offset for each in found] == [3, 4, 5]
    assert unreadable(found[2])[:3] == (5, 5, 5)
    assert "records are broken" in unreadable(found[2])[3]


@pytest.mark.parametrize("more", [1, -1])
def test_a_count_that_is_wrong(more: int) -> None:
    """More records than there are, or fewer, are told of, behind those that can be read."""
    data = bytearray(encoded(THREE))
    struct.pack_into(">i", data, 57, 3 + more)
    found = read(sealed(bytes(data)))
    assert [each.offset for each in found[:-1]] == list(range(min(3, 3 + more)))
    assert isinstance(found[-1].value, UnreadableBatch)


@pytest.mark.parametrize("count", [MOST_HEADERS, MOST_HEADERS + 1])
def test_a_flood_of_headers_in_a_large_batch(count: int) -> None:
    """Up to so many are read; a record with more is not parsed, and those before it are."""
    flood: Message = (b"k", None, [("", None)] * count)
    batch = compressed(encoded([*filled(LARGE + 4096), flood, (b"k", b"", ())]), *CODECS["zstd"])
    found = read(batch)
    if count == MOST_HEADERS:
        assert [len(each.headers) for each in found] == [0, count, 0]
    else:
        assert len(found) == 2
        assert unreadable(found[1])[:3] == (2, 1, 2)
        assert f"{count} headers" in unreadable(found[1])[3]


def test_names_that_are_no_text_in_a_compressed_batch() -> None:
    """They are read leniently there too, in a large batch as in a small one; each record once."""
    for first in (THREE, filled(2 * LARGE)):
        plain = encoded([*first, (b"k", b"v", [("nn", b"x")]), *THREE])
        batch = compressed(plain.replace(b"\x04nn", b"\x04\xff\xfe"), *CODECS["lz4"])
        found = read(batch)
        assert [each.offset for each in found] == list(range(len(first) + 4))
        assert list(found[len(first)].headers) == [("\udcff\udcfe", b"x")]


def test_how_large_a_record_is() -> None:
    """A record of a small batch is as large as the others, one of a large batch as large as it is."""
    plain = encoded(THREE)
    for batch in (plain, compressed(plain, *CODECS["gzip"])):
        assert [weight for _, weight in weighed(batch)] == [len(plain) // 3] * 3
    large = compressed(encoded([*filled(2 * LARGE), *filled(600_000), *THREE]), *CODECS["gzip"])
    weights = [weight for _, weight in weighed(large)]
    assert 2 * LARGE - 5 < weights[0] < 2 * LARGE
    assert 600_000 - 5 < weights[1] < 600_000
    assert max(weights[2:]) < 20
    bomb = compressed(encoded([*filled(MOST_BYTES), (b"k", b"", ())]), *CODECS["zstd"])
    assert [weight for _, weight in weighed(bomb)] == [len(bomb)]


def weighed(batch: bytes) -> list[tuple[int, int]]:
    """Offset and size of each record."""
    records = FetchedRecords(batch)
    return [(each.offset, records.weight) for each in records.next_batch() or ()]


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("codec", [0, 1])
def test_messages_of_before(version: int, codec: int) -> None:
    """Old formats, which have no headers, are kept as they are."""
    builder = LegacyRecordBatchBuilder(version, codec, 1 << 20)
    assert builder.append(0, 5, b"k", bytes(100)) is not None
    old = bytes(builder.build())
    (stands, after) = read(old + encoded([(b"k", b"v", ())], first=1))
    assert unreadable(stands) == (0, 0, 0, f"messages of format {version} are not read")
    assert (stands.value, stands.timestamp, after.value) == (old, 5 if version and not codec else 0, b"v")


def test_what_is_incomplete() -> None:
    """The last batch of a fetch may be cut off; what is less than a batch is none."""
    batch = encoded(THREE)
    for cut in (0, 11, 12, len(batch) - 1):
        records = FetchedRecords(batch + batch[:cut])
        assert records.size_in_bytes() == len(batch) + cut
        assert records.next_batch() is not None
        assert (records.has_next(), records.next_batch()) == (False, None)
    for length in (0, 25 - 12, 26 - 12, 60 - 12):
        data = bytes(8) + length.to_bytes(4) + bytes(4) + b"\x02" + bytes(100)
        with pytest.raises(CorruptRecordException):
            FetchedRecords(data[: 12 + length].ljust(17, b"\x00")).next_batch()
