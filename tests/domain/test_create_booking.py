from datetime import timedelta
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.model import Reason, Timer, Timers
from tests.support.builders import NOW, act, booking, hours, location
from tests.support.spec import given

EVERYTHING: dict[str, Any] = {
    "starts_at": "2030-12-24T17:00:00Z",
    "ends_at": "2030-12-24T19:00:00Z",
    "service_id": "s-1",
    "provider_id": "p-1",
    "customer_id": "c-1",
    "resource_id": "t-12",
    "price": "120.50",
    "notes": "nuts!",
    "guest": {"first_name": "John", "email": "john@doe.example"},
    "guest_count": 2,
    "comment": "10 minutes late",
    "ext_reference_id": "x",
    "ext_reference_number": "123",
    "ext_properties": {"k": "v"},
    "scenario_name": "Breakfast",
    "no_show_fee": {"amount_pre_authorized": "500", "amount_to_capture": "250"},
    "tags": ["vip"],
    "types": ["walk-in"],
    "time_slot_id": "opaque",
}


def test_a_booking_needs_no_more_than_its_times() -> None:
    """What is not given comes out as null, one guest, or nothing."""
    created = given(location()).when(booking()).then(version=1, action="create", from_state=None, options={})
    assert created.change.inputs is None
    assert created.snapshot == {
        **dict.fromkeys(EVERYTHING),
        "starts_at": hours(24),
        "ends_at": hours(26),
        "status_id": None,
        "guest_count": 1,
        "ext_properties": {},
        "tags": [],
        "types": [],
        "location_id": "oslo",
        "state": "registered",
        "graph": "venue",
        "bulk_id": None,
        "owner_booking_id": None,
        "changes_left": None,
        "created_at": "2030-01-01T12:00:00Z",
        "updated_at": "2030-01-01T12:00:00Z",
    }


def test_the_changes_of_a_creation_are_all_that_is_not_null() -> None:
    """A creation goes from null to each value; times of the record and the budget are no changes."""
    settings = location(customer_policy={"max_changes": 2})
    given(settings).when(booking(notes="window")).then(
        changes={
            "starts_at": (None, hours(24)),
            "ends_at": (None, hours(26)),
            "notes": (None, "window"),
            "guest_count": (None, 1),
            "ext_properties": (None, {}),
            "tags": (None, []),
            "types": (None, []),
            "location_id": (None, "oslo"),
            "state": (None, "registered"),
            "graph": (None, "venue"),
        },
        changes_left=2,
    )


def test_every_member_is_kept() -> None:
    """A booking with every member comes back with every member."""
    given(location()).when(booking(bulk="g1", options={"silent": True}, **EVERYTHING)).then(
        **EVERYTHING, bulk_id="g1", options={"silent": True}
    )


@pytest.mark.parametrize(
    ("graph", "state"),
    [
        ("venue", "registered"),
        ("instant", "confirmed"),
        ("confirm_decline", "tentative"),
        ("instant_payment", "tentative"),
        ("group_owner", "tentative"),
        ("group_customer", "confirmed"),
        ("group_customer_payment", "tentative"),
        ("status", "reserved"),
    ],
)
def test_each_graph_begins_in_its_state(graph: str, state: str) -> None:
    """A booking begins in the initial state of the graph that it names, or else of its location's default one."""
    given(location()).when(booking(graph=graph)).then(state=state, graph=graph)
    given(location(default_graph=graph)).when(booking()).then(state=state, graph=graph)
    given(location(default_graph="instant")).when(booking(graph=graph)).then(state=state, graph=graph)


@pytest.mark.parametrize("graph", ["waitlist", "nope", "Venue", ""])
def test_a_booking_follows_a_graph_for_bookings(graph: str) -> None:
    """A graph that is unknown, or one of visits, is refused."""
    refused = given(location()).when(booking(graph=graph)).then_refused(Reason.INVALID_FIELD, "/graph")
    assert "venue" in str(refused.decision)
    assert "waitlist" not in str(refused.decision)


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "fine"),
    [
        ("2030-01-01T12:00:00Z", "2030-01-01T12:00:00.000001Z", True),
        ("2030-01-01T12:00:00Z", "2030-01-01T12:00:00Z", False),
        ("2030-01-01T12:00:00Z", "2030-01-01T11:59:59.999Z", False),
        ("2030-01-01T12:00:00Z", "2031-01-02T12:00:00Z", True),
        ("2030-01-01T12:00:00Z", "2031-01-02T12:00:00.000001Z", False),
        ("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z", True),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", False),
        ("1999-12-31T23:00:00Z", "2000-01-01T01:00:00Z", True),
    ],
)
def test_a_booking_ends_after_it_starts_within_366_days(starts_at: str, ends_at: str, fine: bool) -> None:  # noqa: FBT001
    """An end at or before the start, or more than 366 days after it, is refused at ends_at."""
    when = given(location()).when(booking(starts_at=starts_at, ends_at=ends_at))
    if fine:
        when.then(version=1, starts_at=starts_at, ends_at=ends_at)
    else:
        when.then_refused(Reason.INVALID_FIELD, "/booking/ends_at")


@pytest.mark.parametrize(
    ("fee", "fine"),
    [
        ({"amount_pre_authorized": "500", "amount_to_capture": "500"}, True),
        ({"amount_pre_authorized": "500", "amount_to_capture": "500.0000"}, True),
        ({"amount_pre_authorized": "500", "amount_to_capture": "500.0001"}, False),
        ({"amount_pre_authorized": "9", "amount_to_capture": "10"}, False),
        ({"amount_to_capture": "10"}, True),
        ({"amount_pre_authorized": "0"}, True),
        ({}, True),
    ],
)
def test_no_more_is_captured_than_was_authorized(fee: dict[str, str], fine: bool) -> None:  # noqa: FBT001
    """Amounts compare as numbers; what is missing compares with nothing."""
    when = given(location()).when(booking(no_show_fee=fee))
    if fine:
        when.then(no_show_fee=fee)
    else:
        when.then_refused(Reason.INVALID_FIELD, "/booking/no_show_fee/amount_to_capture")


def test_all_that_is_wrong_is_told_at_once() -> None:
    """A refusal has the pointers of all its errors, not just the first."""
    wrong = booking(
        graph="nope",
        ends_at=hours(1),
        no_show_fee={"amount_pre_authorized": "1", "amount_to_capture": "2"},
        status_id="9",
    )
    given(location()).when(wrong).then_refused(
        Reason.INVALID_FIELD,
        "/graph",
        "/booking/ends_at",
        "/booking/no_show_fee/amount_to_capture",
        "/booking/status_id",
    )


def test_a_wrong_body_is_told_before_anything_is_looked_up() -> None:
    """The body comes before the location, the version and whether the booking is there."""
    pointers = ("/booking/ends_at",)
    wrong = booking(ends_at=hours(1))
    given().when(wrong).then_refused(Reason.INVALID_FIELD, *pointers)
    given(location(), booking()).when(wrong, expected_version=7).then_refused(Reason.INVALID_FIELD, *pointers)


def test_a_booking_needs_its_location() -> None:
    """Without the location there is no booking."""
    given().when(booking()).then_refused(Reason.LOCATION_NOT_FOUND)
    given(location()).when(booking(at="bergen")).then_refused(Reason.LOCATION_NOT_FOUND)


def test_a_second_booking_of_an_id_is_refused() -> None:
    """An id belongs to the first who takes it, even when that booking is over, and even for the same content."""
    one = given(location(), booking(), booking("b2"), act("cancel", "b2"))
    one.when(booking()).then_refused(Reason.ALREADY_EXISTS)
    one.when(booking("b2", notes="other")).then_refused(Reason.ALREADY_EXISTS)


def test_a_visit_may_have_the_id_of_a_booking() -> None:
    """Ids are told apart by what they name."""
    world = given(location(), booking("v1"))
    assert world.world.find("visit", "v1") is None


def test_what_is_not_there_has_no_version_to_expect() -> None:
    """A creation that expects a version expects what can't be."""
    given(location()).when(booking(), expected_version=1).then_refused(Reason.VERSION_CONFLICT)


@pytest.mark.parametrize("actor", list(Actor))
def test_anybody_may_create(actor: Actor) -> None:
    """The customer policy does not bind creations."""
    closed = location(customer_policy={"can_edit": False, "can_cancel": False, "max_changes": 0})
    given(closed).when(booking(graph="instant"), actor=actor).then(
        state="confirmed", changes_left=0, timers=_complete_at(27)
    )


def _complete_at(hour: float) -> Timers:
    return Timers(clear=False, start=(Timer("complete", NOW + timedelta(hours=hour)),))
