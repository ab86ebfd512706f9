import base64
import json
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.commands import UpdateBooking
from service.record import Record
from tests.support.records import APPENDED, SOURCE, TRACEPARENT, dead, question, received, record, update

STRUCTURED = "application/cloudevents+json; charset=utf-8"


def structured(content: Any, *, topic: str = "booking-commands") -> Record:
    """A record in structured mode, of the envelope or of bytes."""
    value = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Record(topic, 0, 0, b"b-1", value, (("Content-Type", STRUCTURED.encode()),), 0)


def envelope(**more: Any) -> dict[str, Any]:
    """An envelope of an update-booking."""
    return {"specversion": "1.0", "id": "c-9", "source": SOURCE, "type": "update-booking", **more}


def test_binary_mode() -> None:
    """Attributes come from the headers, the data from the value, the actor from the channel."""
    made = record(
        "update-booking",
        update(patch={"notes": "x"}, expected_version=3, validate_only=True, reason="why"),
        "c-1",
        ce_correlationid="order-7",
        ce_replyto="command-results",
        ce_expirytime="2026-12-01T09:05:00+01:00",
        ce_time="2020-01-01T00:00:00Z",
        traceparent=TRACEPARENT,
    )
    found, asked = received(made), question(made)
    assert (found.account_id, found.kind, found.aggregate_id) == ("acc-1", "booking", "b-1")
    assert (found.envelope.id, found.envelope.source, found.envelope.type) == ("c-1", SOURCE, "update-booking")
    assert (found.envelope.correlation, found.envelope.reply_to) == ("order-7", "command-results")
    assert str(found.envelope.expires_at) == "2026-12-01 08:05:00+00:00"
    assert found.envelope.traceparent == TRACEPARENT
    assert asked.command == UpdateBooking("b-1", {"notes": "x"}, {})
    assert (asked.context.actor, asked.context.now, asked.context.expected_version) == (Actor.EXTERNAL, APPENDED, 3)
    assert (asked.validate_only, asked.reason) == (True, "why")


def test_structured_mode_equals_binary_mode() -> None:
    """The same command in structured mode asks the same and is the same for the idempotency memory."""
    data = update(patch={"notes": "x"})
    one = received(record("update-booking", data, "c-9"))
    other = received(structured(envelope(data=data, correlationid="k", traceparent=TRACEPARENT)))
    assert (one.command_key, one.content_hash) == (other.command_key, other.content_hash)
    assert (other.envelope.correlation, other.envelope.traceparent) == ("k", TRACEPARENT)
    assert question(structured(envelope(data=data))).command == UpdateBooking("b-1", {"notes": "x"}, {})


@pytest.mark.parametrize("written", [b'{"guest_count":2.0}', b'{"guest_count": 2}', b'{"guest_count":2e0}'])
def test_base64_data(written: bytes) -> None:
    """Data in base64 are the same content as the JSON they hold, however that is written."""
    text = b'{"account_id":"acc-1","booking_id":"b-1","patch":' + written + b"}"
    made = structured(envelope(data_base64=base64.b64encode(text).decode()))
    plain = record("update-booking", update(patch={"guest_count": 2}), "c-9")
    assert received(made).content_hash == received(plain).content_hash


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "not_an_object"),
        (b'"x"', "not_an_object"),
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (envelope(), "not_an_object"),
        (envelope(data=None), "not_an_object"),
        (envelope(data=[1]), "not_an_object"),
        (envelope(data={"account_id": "a"}), "no_aggregate_id"),
        (envelope(data=update(), id=None), "missing_attribute"),
        (envelope(data=update(), id=7), "missing_attribute"),
        (envelope(data=update(), id=""), "missing_attribute"),
        (envelope(data=update(), id=["x"]), "missing_attribute"),
        (envelope(data=update(), source={}), "missing_attribute"),
        (envelope(data=update(), type=None), "missing_attribute"),
        (envelope(data=update(), type="delete-booking"), "unknown_type"),
        (envelope(data=update(), id="\ud800"), "missing_attribute"),
        (envelope(data=update(), source="a\udfffb"), "missing_attribute"),
        (envelope(data=update(), type="\udfff"), "missing_attribute"),
        (envelope(data_base64="***"), "invalid_json"),
        (envelope(data_base64="é"), "invalid_json"),
        (envelope(data_base64=5), "invalid_json"),
        (envelope(data_base64=base64.b64encode(b"\xff").decode()), "invalid_json"),
        (envelope(data_base64=base64.b64encode(b"[" * 90000).decode()), "invalid_json"),
    ],
)
def test_no_command_in_structured_mode(content: Any, reason: str) -> None:
    """An envelope without what makes it a command is a dead letter."""
    assert dead(structured(content)).reason == reason


def test_headers_do_not_count_in_structured_mode() -> None:
    """Attributes come from the envelope alone, so a header ce_id says nothing."""
    made = structured(envelope(data=update()))
    other = Record(made.topic, 0, 0, made.key, made.value, (*made.headers, ("ce_id", b"other")), 0)
    assert received(other).envelope.id == "c-9"


def test_content_of_another_kind() -> None:
    """Data that say that they are no JSON are refused, those of a JSON kind are taken."""
    for content_type in ("text/plain", "application/xml", "json"):
        found = received(record("update-booking", update(), attributes={"content-type": content_type})).body
        assert [fault.detail for fault in getattr(found, "faults", ())] == ["content-type: expected application/json"]
    for fine in ("Application/JSON;charset=utf-8", "application/merge-patch+json", None):
        question(record("update-booking", update(), attributes={"content-type": fine}))
