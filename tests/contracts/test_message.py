import json
from datetime import UTC, datetime

import pytest

from schemas import (
    BookingChanged,
    BookingSnapshotMessage,
    ConfigureLocation,
    CreateBooking,
    CreateVisit,
    SequenceFilter,
    StateAction,
    UpdateBooking,
    UpdateVisit,
    VisitChanged,
    VisitSnapshotMessage,
    command,
    event,
    headers,
)
from schemas.commands import COMMANDS, Command
from schemas.message import aggregate_id
from tests.contracts.catalogue import EXAMPLES_DIRECTORY

WINDOW = {"starts_at": "2026-12-24T18:00:00+01:00", "ends_at": "2026-12-24T20:00:00+01:00"}
COMMANDS_SENT: list[tuple[Command, str, str]] = [
    (
        CreateBooking.model_validate({"account_id": "a", "booking_id": 7, "location_id": "l", "booking": WINDOW}),
        "booking-commands",
        "7",
    ),
    (UpdateBooking(account_id="a", booking_id="b", patch={"notes": None}), "booking-commands", "b"),
    (CreateVisit(account_id="a", visit_id="v", location_id="l"), "visit-commands", "v"),
    (UpdateVisit(account_id="a", visit_id="v", patch={"party_size": 2}), "visit-commands", "v"),
    (StateAction(account_id="a", booking_id="b", action="cancel"), "booking-commands", "b"),
    (StateAction(account_id="a", visit_id="v", state="serving"), "visit-commands", "v"),
    (ConfigureLocation(account_id="a", location_id="l", settings={"timezone": None}), "internal-commands", "l"),
]


@pytest.mark.parametrize(("data", "topic", "key"), COMMANDS_SENT)
def test_command_goes_to_the_topic_of_its_aggregate(data: Command, topic: str, key: str) -> None:
    """Topic and key follow from the aggregate; the value reads back as the same command."""
    message = command(data, id="1", source="//pos")
    assert (message.topic, message.key) == (topic, key.encode())
    kind = dict(message.headers)["ce_type"].decode()
    assert COMMANDS[kind].model_validate(json.loads(message.value)) == data
    assert aggregate_id(data) == key
    assert command(data, id="1", source="//pos", internal=True).topic == headers.INTERNAL_COMMANDS


def test_command_carries_only_what_was_set() -> None:
    """Members and headers that were not given are absent; null is kept."""
    message = command(UpdateBooking(account_id="a", booking_id="b", patch={"notes": None}), id="1", source="//pos")
    assert json.loads(message.value) == {"account_id": "a", "booking_id": "b", "patch": {"notes": None}}
    assert message.headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_source", b"//pos"),
        ("ce_type", b"update-booking"),
        ("content-type", b"application/json"),
    ]


def test_command_carries_the_optional_headers() -> None:
    """Correlation, answer, expiry and trace go into headers of their own."""
    data = UpdateBooking(account_id="a", booking_id="b", patch={})
    expiry = datetime(2026, 12, 1, 9, 5, tzinfo=UTC)
    message = command(
        data,
        id="1",
        source="//ø",
        correlation_id="o-1",
        reply_to="command-results",
        expires_at=expiry,
        traceparent="00-x",
    )
    found = dict(message.headers)
    assert found["ce_source"] == "//ø".encode()
    assert found["ce_correlationid"] == b"o-1"
    assert found["ce_replyto"] == b"command-results"
    assert found["ce_expirytime"] == b"2026-12-01T09:05:00Z"
    assert found["traceparent"] == b"00-x"


def test_expiry_needs_an_offset() -> None:
    """A time that means another moment elsewhere is refused before it is sent."""
    data = UpdateBooking(account_id="a", booking_id="b", patch={})
    with pytest.raises(ValueError, match="offset"):
        command(data, id="1", source="//pos", expires_at="2026-12-01T09:05:00")


def _sent(kind: str, name: str, sequence: int) -> tuple[list[tuple[str, bytes | None]], bytes]:
    value = (EXAMPLES_DIRECTORY / f"{kind}.v1" / f"{name}.json").read_bytes()
    return [("CE_Type", kind.encode()), ("ce_sequence", f"{sequence:020}".encode()), ("x", None)], value


def test_event_is_read_by_its_type() -> None:
    """A consumer gets a model of the event; header names match in any case."""
    booking = event(*_sent("booking-changed", "confirmed", 2))
    assert isinstance(booking, BookingChanged)
    assert booking.booking["price"] == "120.50"
    assert isinstance(event(*_sent("visit-changed", "party", 2)), VisitChanged)


def test_snapshot_is_read_by_its_type() -> None:
    """A snapshot holds the same state as the change that it follows."""
    booking, change = (event(*_sent(f"booking-{kind}", "confirmed", 2)) for kind in ("snapshot", "changed"))
    assert isinstance(booking, BookingSnapshotMessage)
    assert isinstance(change, BookingChanged)
    assert booking.booking == change.booking
    assert isinstance(event(*_sent("visit-snapshot", "party", 2)), VisitSnapshotMessage)


def test_event_of_another_type_is_told_apart() -> None:
    """A consumer can skip what is no change event."""
    with pytest.raises(LookupError):
        event([("ce_type", b"command-accepted")], b"{}")
    with pytest.raises(LookupError):
        event([], b"{}")


def test_reader_survives_additions() -> None:
    """Members that a later release adds are ignored by readers of this one."""
    found, value = _sent("booking-changed", "confirmed", 2)
    grown = json.loads(value)
    grown["added"] = 1
    grown["booking"]["added"] = {"deep": True}
    grown["booking"]["guest"]["added"] = "x"
    assert event(found, json.dumps(grown).encode()) == event(found, value)


def test_filter_drops_what_is_not_greater_than_the_last_seen() -> None:
    """An aggregate's events pass once and in order; a later epoch is greater; aggregates do not mix."""
    known = SequenceFilter()
    passed = []
    for kind, name, sequence in [
        ("booking-changed", "created", 1),
        ("booking-changed", "confirmed", 2),
        ("booking-changed", "created", 1),
        ("booking-changed", "confirmed", 2),
        ("visit-changed", "party", 2),
        ("booking-changed", "confirmed", 10**16 + 2),
        ("booking-changed", "confirmed", 9),
    ]:
        found, value = _sent(kind, name, sequence)
        change = event(found, value)
        if known.is_new(found, change):
            passed.append((kind, sequence))
            known.done(found, change)
    assert passed == [
        ("booking-changed", 1),
        ("booking-changed", 2),
        ("visit-changed", 2),
        ("booking-changed", 10**16 + 2),
    ]


def test_filter_takes_a_snapshot_unless_a_greater_sequence_was_done() -> None:
    """A snapshot passes at the sequence that is done, and not below it; then the change of its sequence is a repeat."""
    known = SequenceFilter()
    passed = []
    for kind, name, sequence in [
        ("booking-changed", "created", 1),
        ("booking-changed", "confirmed", 2),
        ("booking-snapshot", "confirmed", 2),
        ("booking-snapshot", "confirmed", 2),
        ("booking-snapshot", "created", 1),
        ("booking-changed", "confirmed", 2),
        ("booking-snapshot", "confirmed", 4),
        ("booking-changed", "confirmed", 3),
        ("booking-changed", "confirmed", 5),
        ("visit-snapshot", "party", 1),
    ]:
        found, value = _sent(kind, name, sequence)
        change = event(found, value)
        if known.is_new(found, change):
            passed.append((kind, sequence))
            known.done(found, change)
    assert passed == [
        ("booking-changed", 1),
        ("booking-changed", 2),
        ("booking-snapshot", 2),
        ("booking-snapshot", 2),
        ("booking-snapshot", 4),
        ("booking-changed", 5),
        ("visit-snapshot", 1),
    ]


def test_filter_lets_an_event_through_again_until_it_is_done() -> None:
    """An event whose handling failed is new when it is tried again."""
    known = SequenceFilter()
    found, value = _sent("booking-changed", "created", 1)
    assert known.is_new(found, event(found, value))
    assert known.is_new(found, event(found, value))
    with pytest.raises(LookupError):
        known.is_new([], event(found, value))
