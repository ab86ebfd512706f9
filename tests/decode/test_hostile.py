import json
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.commands import COMMANDS
from service.decode.record import MAX_VALUE_BYTES, decode
from service.domain.commands import UpdateBooking
from service.domain.model import Refused
from service.received import DeadLetter, Question, Received
from service.record import Record
from tests.support.records import REPLY_TOPICS, act, create, record, update, visit

TOPICS = ("booking-commands", "visit-commands", "internal-commands")
NAMES = ("ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "ce_expirytime", "ce_replyto", "content-type",
         "traceparent", "CE_ID", "x")  # fmt: skip
VALUES = (b"1.0", b"command-results", b"application/json", b"application/cloudevents+json", b"2026-12-01T09:00:00Z",
          *(name.encode() for name in COMMANDS))  # fmt: skip
SOUND = [
    record("update-booking", update(patch={"notes": "window é", "price": "1.50", "guest": {"email": "a@b.example"}})),
    record("create-booking", create(bulk_id="k", booking={"tags": ["vip"], "guest_count": 2})),
    record("create-visit", visit(date="2026-12-24T18:00", duration=60, phone="+4790090090", metadata={"a": "b"})),
    record("state-action", act("b-1", "cancel", inputs={"message": "x", "n": [1.5, {"a": None}]})),
]

headers = st.lists(
    st.tuples(
        st.sampled_from(NAMES) | st.text(st.characters(), max_size=10),
        st.none() | st.sampled_from(VALUES) | st.binary(max_size=20),
    ),
    max_size=12,
).map(tuple)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=20,
)


def check(made: Record) -> None:
    """Decodes, and looks at what came out."""
    found = decode(made, REPLY_TOPICS)
    assert isinstance(found, Received | DeadLetter)
    assert found.record is made
    if isinstance(found, Received):
        assert isinstance(found.body, Question | Refused)
        assert (len(found.command_key), len(found.content_hash)) == (16, 16)
        found.envelope.id.encode()
        found.envelope.source.encode()
        for fault in getattr(found.body, "faults", ()):
            assert len(fault.pointer) <= 500
            assert len(fault.detail.encode()) <= 2000


@given(
    st.sampled_from(TOPICS), st.none() | st.binary(), st.none() | st.binary(), headers, st.integers(-(2**63), 2**63 - 1)
)
def test_any_record(
    topic: str, key: bytes | None, value: bytes | None, pairs: tuple[tuple[str, bytes | None], ...], timestamp: int
) -> None:
    """Whatever bytes come, decoding gives a command or a dead letter and never fails."""
    check(Record(topic, 0, 0, key, value, pairs, timestamp))


@given(st.sampled_from(sorted(COMMANDS)), st.sampled_from(TOPICS), documents, st.booleans())
def test_any_document(command_type: str, topic: str, document: object, structured: bool) -> None:  # noqa: FBT001
    """Whatever JSON stands where data are expected, decoding gives a command or a dead letter."""
    data: dict[str, object] = {"account_id": "a", "booking_id": "b-1", "visit_id": "v-1", "location_id": "oslo"}
    if isinstance(document, dict):
        data |= document
    else:
        data |= dict.fromkeys(("patch", "booking", "visit", "settings", "inputs", "options", "action"), document)
    content = {"specversion": "1.0", "id": "c", "source": "s", "type": command_type, "data": data}
    if isinstance(document, dict) and structured:
        content |= document
    plain = record(command_type, json.dumps(content if structured else data).encode(), key=b"b-1", topic=topic)
    as_structured = (("content-type", b"application/cloudevents+json"),)
    check(Record(topic, 0, 0, b"b-1", plain.value, as_structured if structured else plain.headers, 0))


@given(st.data())
def test_mutations_of_sound_commands(data: st.DataObject) -> None:
    """Bytes of a sound command changed, cut, doubled or put in anywhere never break the decoder."""
    sound = data.draw(st.sampled_from(SOUND))
    value = bytearray(sound.value or b"")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value)))
        to = data.draw(st.integers(at, min(len(value), at + 12)))
        put = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"NaN", b"1e999", b'"\\ud800"', b"[" * 600, b"null", b"9" * 30, b"\\u0000", b'"', b"}"])
            | st.just(bytes(value[at:to]) * 2)
        )
        value[at:to] = put
    check(Record(sound.topic, 0, 0, sound.key, bytes(value), sound.headers, 0))


def worst() -> Iterator[tuple[str, bytes]]:
    """Values of nearly 256 KiB that ask most of a parser, a normaliser or a pattern."""
    room = MAX_VALUE_BYTES - 200
    yield "deep lists", b'{"patch":' + b"[" * room
    yield "deep objects", b'{"patch":' + b'{"a":' * (room // 5)
    yield "wide", b'{"tags":[' + b"1," * (room // 2 - 10) + b"1]}"
    yield "empty objects", b'{"tags":[' + b"{}," * (room // 3 - 10) + b"1]}"
    yield "keys", b"{" + b",".join(b'"%d":1' % n for n in range(room // 10)) + b"}"
    yield "properties", b'{"ext_properties":{' + b",".join(b'"%d":1' % n for n in range(room // 10)) + b"}}"
    yield "long text", b'{"notes":"' + b"a" * (room - 20) + b'"}'
    yield "long number", b'{"notes":' + b"1" * (room - 20) + b"}"
    yield "long fraction", b'{"notes":0.' + b"1" * (room - 20) + b"}"
    yield "floats", b'{"tags":[' + b"1e999," * (room // 6 - 10) + b"1]}"
    yield "marks", '{{"notes":"a{}"}}'.format("\u0323\u0301" * (room // 4 - 10)).encode()
    yield "surrogates", b'{"notes":"' + b"\\ud800" * (room // 6 - 10) + b'"}'
    yield "time", b'{"starts_at":"2026-01-01T00:00:00.' + b"0" * (room - 60) + b'Z"}'
    yield "email", b'{"guest":{"email":"' + b"a@." * (room // 3 - 20) + b'"}}'
    yield "pointers", b'{"ext_properties":{"' + b"~/" * (room // 2 - 40) + b'":1}}'


@pytest.mark.parametrize(("name", "patch"), [pytest.param(*each, id=each[0]) for each in worst()])
def test_the_worst_values(name: str, patch: bytes) -> None:
    """The largest values that are hard to read are read."""
    for value, kind in (
        (b'{"account_id":"acc-1","booking_id":"b-1","patch":' + patch + b"}", "update-booking"),
        (b'{"account_id":"acc-1","booking_id":"b-1","action":"x","inputs":' + patch + b"}", "state-action"),
    ):
        assert len(value) <= MAX_VALUE_BYTES
        check(record(kind, value, key=b"b-1"))


@given(
    st.text(st.sampled_from("ab\u1100\u1161\u11a8\u0301\u0323\u0344\u0345\u05b0\u0f71\u0f73\u0f75\u0f80\u0f81\u1fafé"))
)
def test_texts_are_normalised(text: str) -> None:
    """Texts come out in the standard library's NFC, whatever marks they hold in whatever order."""
    found = decode(record("update-booking", update(patch={"notes": text})), REPLY_TOPICS)
    assert isinstance(found, Received)
    assert isinstance(found.body, Question)
    assert isinstance(found.body.command, UpdateBooking)
    assert found.body.command.patch == {"notes": unicodedata.normalize("NFC", text)}


def test_a_text_is_measured_after_normalisation() -> None:
    """A text that fits once its marks are composed is taken, though it is four times as long before."""
    letter = "\u03b1\u0313\u0300\u0345"
    made = record("update-booking", update(patch={"notes": letter * 2000}))
    found = decode(made, REPLY_TOPICS)
    assert isinstance(found, Received)
    assert isinstance(found.body, Question)
    too_long = decode(record("update-booking", update(patch={"notes": letter * 2001})), REPLY_TOPICS)
    assert isinstance(too_long, Received)
    assert isinstance(too_long.body, Refused)
