from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.model import Reason
from tests.support.builders import hours, location, visit
from tests.support.spec import given

DATE = "2030-05-01T12:00"
STARTS = "2030-05-01T12:00:00Z"
EVERYTHING: dict[str, Any] = {
    "external_id": "e-1",
    "external_customer_id": "x-1",
    "name": "John Doe",
    "first_name": "John",
    "last_name": "Doe",
    "phone": "+4790090090",
    "email": "john@doe.example",
    "public_id": "p-1",
    "service_ids": ["s-1"],
    "resource_ids": ["r-1"],
    "data_fields": [{"id": "f-1", "values": ["blue"]}],
    "party_size": 2,
    "wait_duration": 600,
    "position": 1,
    "tags": ["vip"],
    "date": DATE,
    "duration": 3600,
    "is_block": True,
    "source": "API",
    "locale": "nb-NO",
    "policy_consent": True,
    "message_info": {"last_outgoing": {"channel": "EMAIL"}, "last_incoming": {"channel": "SMS"}},
    "metadata": {"k": "v"},
    "order_value": {"amount": "99.50", "currency": "NOK"},
    "starts_at": STARTS,
    "ends_at": "2030-05-01T13:00:00Z",
}


def test_a_visit_needs_no_more_than_a_customer() -> None:
    """What is not given comes out as null, one person, or nothing."""
    created = given(location()).when(visit()).then(version=1, action="create", from_state=None, options={})
    nulls = set(EVERYTHING) - {"party_size", "tags", "is_block", "policy_consent"}
    assert created.snapshot == {
        **dict.fromkeys(nulls),
        "customer_id": "c-1",
        "customer": None,
        "party_size": 1,
        "tags": [],
        "is_block": False,
        "policy_consent": False,
        "state": "waiting",
        "location_id": "oslo",
        "graph": "waitlist",
        "created_at": "2030-01-01T12:00:00Z",
        "updated_at": "2030-01-01T12:00:00Z",
    }
    assert created.accepted.deprecated == ()


def test_every_member_is_kept() -> None:
    """A visit with every member comes back with every member, and with the customer that it names."""
    given(location()).when(visit(options={"public_mode": True, "silent": True}, **EVERYTHING)).then(
        **EVERYTHING, customer_id="c-1", state="booked", options={"public_mode": True, "silent": True}
    )


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("approval", [True, False])
@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("timed", [True, False])
def test_the_first_state_follows_from_time_and_location(hold: bool, approval: bool, dated: bool, timed: bool) -> None:  # noqa: FBT001
    """Hold comes before approval, both only where there is a date; starts_at alone is booked."""
    times: dict[str, Any] = ({"date": DATE} if dated else {}) | ({"starts_at": STARTS} if timed else {})
    by_date = "pending" if hold else "draft" if approval else "booked"
    state = by_date if dated else "booked" if timed else "waiting"
    given(location(booking_hold=hold, booking_approval=approval)).when(visit(**times)).then(state=state)
    nothing: dict[str, Any] = {"date": None, "starts_at": None}
    given(location(booking_hold=hold, booking_approval=approval)).when(visit(**{**nothing, **times})).then(state=state)


@pytest.mark.parametrize(
    "contact",
    [
        {"external_customer_id": "x"},
        {"phone": "+4790090090"},
        {"email": "a@b.example"},
        {"name": "Jo"},
        {"first_name": "Jo"},
        {"last_name": "Doe"},
        {"customer_id": "c-9"},
    ],
)
def test_a_visit_says_who_comes(contact: dict[str, Any]) -> None:
    """Any one datum about the customer is enough, none is not."""
    given(location()).when(visit(customer=None, **contact)).then(version=1)
    for members in ({}, dict.fromkeys(contact), {"public_id": "p", "notes": "John"}):
        given(location()).when(visit(customer=None, **members)).then_refused(Reason.INVALID_FIELD, "/customer_id")


def test_all_that_is_wrong_is_told_at_once_and_first() -> None:
    """The body comes before location, version and the id; with the location its clock is asked too."""
    wrong = visit(
        customer=None, starts_at=hours(2), ends_at=hours(2), date="2030-05-01T12:07", metadata={"k": "v"}, party_size=9
    )
    pointers = ["/customer_id", "/visit/ends_at"]
    given().when(wrong).then_refused(Reason.INVALID_FIELD, *pointers)
    given(location(slot_minutes=15), visit()).when(wrong, expected_version=9).then_refused(
        Reason.INVALID_FIELD, *pointers, "/visit/date"
    )


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "fine"),
    [
        (hours(1), hours(1.001), True),
        (hours(1), hours(1), False),
        (hours(1), hours(0), False),
        (None, hours(0), True),
        (hours(1), None, True),
        (hours(0), hours(24 * 999), True),
    ],
)
def test_a_visit_ends_after_it_starts(starts_at: str | None, ends_at: str | None, fine: bool) -> None:  # noqa: FBT001
    """Where both times are given, the end is the later one, however late."""
    when = given(location()).when(visit(starts_at=starts_at, ends_at=ends_at))
    if fine:
        when.then(starts_at=starts_at, ends_at=ends_at)
    else:
        when.then_refused(Reason.INVALID_FIELD, "/visit/ends_at")
        given().when(visit(starts_at=starts_at, ends_at=ends_at)).then_refused(Reason.INVALID_FIELD, "/visit/ends_at")


def test_a_visit_needs_its_location() -> None:
    """Without the location there is no visit."""
    given().when(visit()).then_refused(Reason.LOCATION_NOT_FOUND)
    given(location()).when(visit(at="bergen")).then_refused(Reason.LOCATION_NOT_FOUND)


def test_a_second_visit_of_an_id_is_refused() -> None:
    """An id belongs to the first who takes it."""
    given(location(), visit()).when(visit()).then_refused(Reason.ALREADY_EXISTS)
    given(location(), visit()).when(visit(), expected_version=2).then_refused(Reason.VERSION_CONFLICT)


@pytest.mark.parametrize(
    ("settings", "members", "wanted", "state"),
    [
        ({}, {}, "waiting", "waiting"),
        ({}, {}, "SERVING", "serving"),
        ({}, {}, "complete", "complete"),
        ({}, {"date": DATE}, "waiting", "waiting"),
        ({}, {"date": DATE}, "serving", "serving"),
        ({"booking_approval": True}, {"date": DATE}, "booked", "booked"),
        ({"booking_hold": True}, {"date": DATE}, "Pending", "pending"),
        ({"booking_hold": True}, {"date": DATE}, "waiting", "waiting"),
    ],
)
def test_a_state_at_creation_is_a_move_from_the_first_one(
    settings: dict[str, Any], members: dict[str, Any], wanted: str, state: str
) -> None:
    """The creation then begins where the move leads, still as one change named create."""
    given(location(**settings)).when(visit(state=wanted, **members)).then(
        version=1, action="create", from_state=None, state=state, tags=[]
    )


@pytest.mark.parametrize(
    ("settings", "members", "wanted", "reason"),
    [
        ({}, {}, "booked", Reason.ACTION_NOT_AVAILABLE),
        ({}, {}, "draft", Reason.ACTION_NOT_AVAILABLE),
        ({}, {"date": DATE}, "pending", Reason.ACTION_NOT_AVAILABLE),
        ({"booking_hold": True}, {"date": DATE}, "serving", Reason.ACTION_NOT_AVAILABLE),
        ({}, {}, "seated", Reason.UNKNOWN_ACTION),
        ({}, {}, "", Reason.UNKNOWN_ACTION),
    ],
)
def test_a_state_out_of_reach_at_creation_is_refused(
    settings: dict[str, Any], members: dict[str, Any], wanted: str, reason: Reason
) -> None:
    """No action leads there from the first state."""
    given(location(**settings)).when(visit(state=wanted, **members)).then_refused(reason)


@pytest.mark.parametrize("actor", list(Actor))
def test_anybody_may_create(actor: Actor) -> None:
    """The customer policy does not bind creations."""
    closed = location(customer_policy={"can_edit": False, "can_cancel": False})
    given(closed).when(visit(), actor=actor).then(state="waiting")


def test_an_external_id_is_unique_in_the_account() -> None:
    """Neither another location nor the end of its visit sets an external id free; giving it up does."""
    from_here = given(location(), location("bergen"), visit(external_id="e"))
    from_here.when(visit("v2", external_id="e")).then_refused(Reason.EXTERNAL_ID_TAKEN)
    from_here.when(visit("v2", external_id="E")).then(external_id="E")
    from_here.when(visit("v2", at="bergen", external_id="e")).then_refused(Reason.EXTERNAL_ID_TAKEN)
