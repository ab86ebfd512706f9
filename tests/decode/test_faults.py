from typing import Any

import pytest

from service.decode.body import read_body
from service.domain.actor import Actor
from service.domain.commands import ErasePerson
from service.domain.model import Reason, Refused
from service.record import Record
from tests.support.records import create, location, question, received, record, update, visit


def refused(made: Record) -> tuple[str, list[str]]:
    """Detail and pointers of a refusal."""
    body = received(made).body
    assert isinstance(body, Refused), body
    return body.reason, [fault.pointer for fault in body.faults]


@pytest.mark.parametrize(
    ("patch", "detail", "pointers"),
    [
        ({"nope": 1}, "unknown_field", ["/patch/nope"]),
        ({"nope": 1, "neither": 2}, "unknown_field", ["/patch/nope", "/patch/neither"]),
        ({"graph": "venue"}, "immutable_field", ["/patch/graph"]),
        ({"graph": "venue", "bulk_id": "x"}, "immutable_field", ["/patch/graph", "/patch/bulk_id"]),
        ({"graph": "venue", "nope": 1}, "invalid_field", ["/patch/graph", "/patch/nope"]),
        ({"guest_count": 0}, "invalid_field", ["/patch/guest_count"]),
        ({"guest_count": 0, "nope": 1}, "invalid_field", ["/patch/guest_count", "/patch/nope"]),
        ({"guest_count": None, "starts_at": None}, "invalid_field", ["/patch/starts_at", "/patch/guest_count"]),
        ({"guest": {"a/b~c": 1}}, "unknown_field", ["/patch/guest/a~1b~0c"]),
        ({"notes": "\ud800"}, "invalid_field", ["/patch/notes"]),
        ({"notes": "a\x00"}, "invalid_field", ["/patch/notes"]),
        ({"guest_count": 10**30}, "invalid_field", ["/patch/guest_count"]),
        ({"guest_count": 2.0}, "invalid_field", ["/patch/guest_count"]),
        ({"guest_count": True}, "invalid_field", ["/patch/guest_count"]),
    ],
)
def test_the_detail_is_precise_where_all_faults_are_of_one_kind(
    patch: dict[str, Any], detail: str, pointers: list[str]
) -> None:
    """All faults are listed; the detail names a kind only where all of them are of it."""
    found, places = refused(record("update-booking", update(patch=patch)))
    assert (found, sorted(places)) == (detail, sorted(pointers))


def test_a_missing_member_has_a_pointer() -> None:
    """A missing member is pointed at where it should be."""
    made = record("create-booking", {"account_id": "acc-1", "booking_id": "b-1", "booking": {}})
    assert refused(made) == ("invalid_field", ["/location_id", "/booking/starts_at", "/booking/ends_at"])


@pytest.mark.parametrize("account", [None, "", "a b", [], "x" * 65])
def test_no_account(account: object) -> None:
    """Without a usable account a command is refused, in the name of none."""
    made = record("update-booking", update() | {"account_id": account})
    assert refused(made) == ("invalid_field", ["/account_id"])
    assert received(made).account_id == ""


@pytest.mark.parametrize("key", [None, b"b-2", b"B-1", b"b-1 ", b"\xff"])
def test_key_mismatch(key: bytes | None) -> None:
    """The record key must be the aggregate's id."""
    assert refused(record("update-booking", update(), key=key)) == ("key_mismatch", ["/booking_id"])


@pytest.mark.parametrize(
    ("command_type", "data", "topic", "member"),
    [
        ("update-booking", update(), "visit-commands", "/booking_id"),
        ("create-booking", create(), "visit-commands", "/booking_id"),
        ("create-visit", visit(), "booking-commands", "/visit_id"),
        ("state-action", {"account_id": "a", "visit_id": "v-1", "action": "x"}, "booking-commands", "/visit_id"),
        ("state-action", {"account_id": "a", "booking_id": "b-1", "action": "x"}, "visit-commands", "/booking_id"),
    ],
)
def test_wrong_topic(command_type: str, data: dict[str, Any], topic: str, member: str) -> None:
    """Each kind has its topic; the internal one takes them all."""
    assert refused(record(command_type, data, topic=topic)) == ("wrong_topic", [member])
    question(record(command_type, data, topic="internal-commands"))


def test_several_faults_at_once() -> None:
    """Channel, envelope, key and data faults come in one refusal."""
    made = record(
        "update-booking",
        update(patch={"nope": 1}),
        topic="visit-commands",
        key=b"x",
        ce_specversion="2",
        ce_replyto="y",
    )
    detail, pointers = refused(made)
    assert detail == "invalid_field"
    assert sorted(pointers) == ["", "", "/booking_id", "/booking_id", "/patch/nope"]
    assert refused(record("update-booking", update(), topic="visit-commands", key=b"x"))[0] == "invalid_field"


def test_a_location_is_configured_internally_alone() -> None:
    """On the other channels nobody may, whatever else is wrong."""
    made = location(timezone="nowhere")
    for topic in ("booking-commands", "visit-commands"):
        moved = Record(topic, 0, 0, b"wrong", made.value, made.headers, 0)
        assert refused(moved) == ("actor_not_allowed", [])


def test_a_person_is_erased_internally_alone() -> None:
    """On the other channels nobody may, whatever else is wrong."""
    data = {"account_id": "acc-1", "booking_id": "b-1"}
    for topic in ("booking-commands", "visit-commands"):
        assert refused(record("erase-person", data | {"x": 1}, topic=topic)) == ("actor_not_allowed", [])
    asked = question(record("erase-person", data, topic="internal-commands"))
    assert asked.command == ErasePerson("booking", "b-1")


@pytest.mark.parametrize("source", ["/bookstream", "/bookstream/x", "/bookstreams"])
def test_reserved_sources(source: str) -> None:
    """Sources that begin with the service's own are refused outside the internal channel, and `system` there."""
    assert refused(record("update-booking", update(), ce_source=source)) == ("invalid_field", [""])
    asked = question(record("update-booking", update(), topic="internal-commands", ce_source=source))
    assert asked.context.actor is Actor.SYSTEM


def test_actors() -> None:
    """Who sends is told by the channel, never by what the sender writes."""
    for topic, actor in (("booking-commands", Actor.EXTERNAL), ("internal-commands", Actor.INTERNAL)):
        assert question(record("update-booking", update(), topic=topic)).context.actor is actor
    assert refused(record("update-booking", update(actor="internal"))) == ("unknown_field", ["/actor"])


@pytest.mark.parametrize("members", [{}, {"action": "a", "state": "b"}, {"action": "a", "visit_id": "v-1"}])
def test_exactly_one_of_each_pair(members: dict[str, str]) -> None:
    """A state-action names exactly one aggregate and exactly one of action and state."""
    data = {"account_id": "acc-1", "booking_id": "b-1", **members}
    detail, pointers = refused(record("state-action", data, key=b"b-1", topic="internal-commands"))
    assert detail == "invalid_field"
    assert len(pointers) == 1


def test_a_member_whose_name_is_no_unicode() -> None:
    """A lone surrogate in a member's name is refused at the object that holds it."""
    value = b'{"account_id":"acc-1","booking_id":"b-1","patch":{"\\ud800":1}}'
    assert refused(record("update-booking", value, key=b"b-1")) == ("invalid_field", ["/patch"])


@pytest.mark.parametrize("name", ["\ud800", "a\x00"])
def test_a_name_that_no_pointer_can_hold(name: str) -> None:
    """A member of the body whose name can't be written is refused at the body itself."""
    for kind, data in (("create-booking", create()), ("create-visit", visit("b-1")), ("update-booking", update())):
        assert refused(record(kind, data | {name: 1}, key=b"b-1"))[1] == [""]


@pytest.mark.parametrize("timestamp", [-1, -(2**63), 2**63 - 1])
def test_times_outside_the_calendar(timestamp: int) -> None:
    """An append time that no calendar has is the nearest that it has."""
    assert question(record("update-booking", update(), timestamp=timestamp)).context.now.year in {1970, 9999}


def test_rules_between_members_are_told_beside_wrong_members() -> None:
    """A refusal names what is wrong by itself and what is wrong between the members that are sound."""
    booking = {"starts_at": "2030-01-01T12:00:00Z", "ends_at": "2030-01-01T11:00:00Z", "guest_count": 0}
    data = {"account_id": "acc-1", "booking_id": "b-1", "location_id": "oslo", "booking": booking}
    refused = read_body("create-booking", data)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.INVALID_FIELD
    assert {fault.pointer for fault in refused.faults} == {"/booking/guest_count", "/booking/ends_at"}


def test_a_visit_of_nobody_is_told_beside_wrong_members() -> None:
    """A visit without customer or contact is refused for that too when its party is too large."""
    data = {
        "account_id": "acc-1",
        "visit_id": "v-1",
        "location_id": "oslo",
        "visit": {"party_size": 101, "colour": "red"},
    }
    refused = read_body("create-visit", data)
    assert isinstance(refused, Refused)
    assert {fault.pointer for fault in refused.faults} == {"/visit/party_size", "/visit/colour", "/customer_id"}


def test_a_wrong_contact_is_not_a_missing_one() -> None:
    """A visit whose only contact is wrong is refused for the contact alone."""
    data = {"account_id": "acc-1", "visit_id": "v-1", "location_id": "oslo", "visit": {"phone": "4790090090"}}
    refused = read_body("create-visit", data)
    assert isinstance(refused, Refused)
    assert [fault.pointer for fault in refused.faults] == ["/visit/phone"]
