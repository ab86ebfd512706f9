import pytest

from service.decode.record import MAX_VALUE_BYTES
from service.decode.replay import as_at_first
from service.domain.model import Refused
from service.received import Received
from service.record import Record, UnreadableBatch
from tests.support.records import dead, question, received, record, update


@pytest.mark.parametrize("value", [None, b"", b" ", b"hello", b'{"a":', b"{'a':1}", b"\xef\xbb\xbf{}", b'{"a":1}x',
                                   b'{"a":\xff}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":01}',
                                   b'{"a":"\x01"}', "{}".encode("utf-16"), b"[1,]", b'{"a":1,}', b"nul"])  # fmt: skip
def test_not_json(value: bytes | None) -> None:
    """What is not JSON by RFC 8259 is a dead letter with its bytes as they came."""
    letter = dead(record("update-booking", value))
    assert letter.reason == "invalid_json"
    assert letter.record.value == value


@pytest.mark.parametrize("value", [b"[1, 2]", b'"x"', b"5", b"null", b"true"])
def test_not_an_object(value: bytes) -> None:
    """JSON that is no object is a dead letter."""
    assert dead(record("update-booking", value)).reason == "not_an_object"


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type"])
@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("body", [b"{}", b"no json", None])
def test_a_missing_attribute(name: str, value: str | None, body: bytes | None) -> None:
    """Without id, source or type a record is no command, whatever its value."""
    letter = dead(record("update-booking", body, attributes={name: value}))
    assert (letter.reason, letter.detail) == ("missing_attribute", f"no {name}")


@pytest.mark.parametrize("name", ["delete-booking", "UPDATE-BOOKING", "update_booking", "booking-changed", "x" * 400])
def test_an_unknown_type(name: str) -> None:
    """A type that is no command is a dead letter."""
    assert dead(record(name, update())).reason == "unknown_type"


@pytest.mark.parametrize("value", ["", "a b", "x" * 65, None, True, 1.5, 10**64, [], {}, "é", "b/1", "\ud800"])
def test_no_usable_id(value: object) -> None:
    """Without a usable id of its aggregate a record is no command."""
    assert dead(record("update-booking", update() | {"booking_id": value})).reason == "no_aggregate_id"
    assert dead(record("state-action", {"account_id": "a", "visit_id": value})).reason == "no_aggregate_id"


def test_the_id_of_another_kind_is_none() -> None:
    """A visit's id says nothing of a booking."""
    data = {"account_id": "acc-1", "visit_id": "v-1", "patch": {}}
    assert dead(record("update-booking", data)).reason == "no_aggregate_id"


@pytest.mark.parametrize("number", [0, -5, 7, 10**19, 12345678901234567890123, 10**63])
def test_an_integer_id(number: int) -> None:
    """An integer is accepted for an id and kept as its decimal string, with more digits than 64 bits have too."""
    found = received(record("update-booking", update() | {"booking_id": number}))
    assert found.aggregate_id == str(number)
    assert not isinstance(found.body, Refused)


def test_the_size_of_a_value() -> None:
    """A value of 256 KiB is a command, one byte more is not."""
    text = b'{"account_id":"acc-1","booking_id":"b-1","patch":{}' + b" " * MAX_VALUE_BYTES
    question(record("update-booking", text[: MAX_VALUE_BYTES - 1] + b"}", key=b"b-1"))
    letter = dead(record("update-booking", text[:MAX_VALUE_BYTES] + b"}", key=b"b-1"))
    assert letter.reason == "value_too_large"


def test_a_large_value_is_not_even_looked_at() -> None:
    """A value of a mebibyte is a dead letter for its size, whatever its headers."""
    letter = dead(record("update-booking", b"[" * 2**20, headers=[("x", b"\xff")]))
    assert letter.reason == "value_too_large"


@pytest.mark.parametrize(
    ("depth", "is_json"), [(100, True), (190, True), (300, False), (900, False), (1023, False), (100_000, False)]
)
@pytest.mark.parametrize("shape", ["[1]", '{"a":1}', "[1.0]", "[11111111111111111111]"])
def test_nesting(depth: int, is_json: bool, shape: str) -> None:  # noqa: FBT001
    """Deep nesting is refused by name, nesting deeper than any stack is no JSON to us; nothing breaks."""
    start, _, end = shape.partition("1")
    depth = min(depth, 200_000 // len(shape))
    text = start * depth + "1" + end[-1] * depth
    value = b'{"account_id":"acc-1","booking_id":"b-1","patch":' + text.encode() + b"}"
    made = record("update-booking", value, key=b"b-1")
    if is_json:
        assert isinstance(received(made).body, Refused)
    else:
        assert dead(made).reason == "invalid_json"


def test_depth_does_not_depend_on_the_caller() -> None:
    """What is decoded on a shallow stack is decoded on a deep one too."""
    value = b'{"account_id":"acc-1","booking_id":"b-1","patch":' + b"[" * 190 + b"1.0" + b"]" * 190 + b"}"

    def deeper(frames: int) -> Received:
        return received(record("update-booking", value, key=b"b-1")) if frames == 0 else deeper(frames - 1)

    assert deeper(0).content_hash == deeper(400).content_hash


@pytest.mark.parametrize("topic", ["booking-commands", "commands-replay"])
def test_a_batch_that_cannot_be_read(topic: str) -> None:
    """It has one dead letter, whatever its size: its bytes, the first of its offsets, and the last in a header."""
    batch = UnreadableBatch.of(b"x" * 2 * MAX_VALUE_BYTES, 5, 9, "it is no zstd")
    first = as_at_first(Record(topic, 3, 9, None, batch, (), 1))
    assert isinstance(first, Record)
    letter = dead(first)
    assert (letter.reason, letter.detail) == ("unreadable_batch", "offsets 5 to 9 can't be read: it is no zstd")
    assert letter.record == Record(topic, 3, 5, None, bytes(batch), (("dlq_last_offset", b"9"),), 1)
    assert type(letter.record.value) is bytes
