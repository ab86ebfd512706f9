from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.commands import UpdateBooking
from service.domain.model import Reason
from tests.support.builders import NOW, act, booking, hours, location, reach, update, visit
from tests.support.spec import Given, given

BOUND = [Actor.EXTERNAL, Actor.CUSTOMER]
FREE = [Actor.INTERNAL, Actor.SYSTEM]
START = NOW + timedelta(hours=24)


def under(*, graph: str | None = None, **policy: Any) -> Given:
    """A booking at a location with this customer policy."""
    return given(location(customer_policy=policy), booking(graph=graph))


@pytest.mark.parametrize("actor", BOUND)
def test_the_merchant_forbids_edits(actor: Actor) -> None:
    """Without can_edit nothing can be edited from outside, not even to what it is."""
    one = under(can_edit=False)
    one.when(update(notes="x"), actor=actor).then_refused(Reason.CAN_EDIT)
    one.when(update(), actor=actor).then_refused(Reason.CAN_EDIT)


@pytest.mark.parametrize("actor", FREE)
def test_nobody_within_is_bound(actor: Actor) -> None:
    """Internal systems edit and cancel whatever the policy, and use up nothing."""
    one = under(graph="instant", can_edit=False, can_cancel=False, before_edit_minutes=10**6, max_changes=0)
    one.when(update(notes="x"), actor=actor).then(changes_left=0).when(act("cancel"), actor=actor).then(
        state="cancelled"
    )
    some = under(max_changes=3)
    some.when(update(notes="x"), actor=actor).then(changes_left=3, changes={"notes": (None, "x")})


@pytest.mark.parametrize(
    ("minutes", "before_start", "locked"),
    [
        (180, timedelta(minutes=180), True),
        (180, timedelta(minutes=180, microseconds=1), False),
        (180, timedelta(minutes=180, microseconds=-1), True),
        (180, timedelta(days=-9), True),
        (0, timedelta(0), True),
        (0, timedelta(microseconds=1), False),
        (0, timedelta(microseconds=-1), True),
        (2**63 - 1, timedelta(hours=24), True),
        (10**9, timedelta(hours=24), True),
    ],
)
def test_the_window_before_the_start_is_locked(minutes: int, before_start: timedelta, locked: bool) -> None:  # noqa: FBT001
    """The boundary belongs to the window, on both of its sides by a microsecond."""
    one = under(before_edit_minutes=minutes)
    for actor in BOUND:
        when = one.when(update(notes="x"), actor=actor, now=START - before_start)
        if locked:
            when.then_refused(Reason.BEFORE_EDIT_BOOKING)
        else:
            when.then(version=2)
    one.when(update(notes="x"), actor=Actor.INTERNAL, now=START - before_start).then(version=2)


def test_the_window_is_that_of_the_stored_start() -> None:
    """A patch can neither move a start out of the window nor into it unlocked."""
    one = under(before_edit_minutes=60)
    away = update(starts_at=hours(99), ends_at=hours(100))
    one.when(away, now=START - timedelta(minutes=60)).then_refused(Reason.BEFORE_EDIT_BOOKING)
    near = one.when(update(starts_at=hours(1)), now=NOW).then(version=2)
    near.when(update(notes="x"), now=NOW).then_refused(Reason.BEFORE_EDIT_BOOKING)


def test_the_window_reaches_past_the_calendar() -> None:
    """A start at the very beginning of the calendar is locked, not a defect."""
    first = booking(starts_at="0001-01-01T00:00:00Z", ends_at="0001-01-01T01:00:00Z")
    one = given(location(customer_policy={"before_edit_minutes": 2**63 - 1}), first)
    one.when(update(notes="x"), now=datetime(9999, 12, 31, tzinfo=UTC)).then_refused(Reason.BEFORE_EDIT_BOOKING)


def test_a_budget_is_used_up_by_real_changes_alone() -> None:
    """What changes nothing or is refused uses nothing, and works without a budget as well."""
    one = under(max_changes=2).when(update(notes="one")).then(changes_left=1, changes={"notes": (None, "one")})
    same = one.when(update(notes="one")).then_nothing_happened()
    refused = same.when(update(ends_at=hours(0))).then_refused(Reason.INVALID_FIELD, "/patch/ends_at")
    spent = refused.when(update(notes="two"), actor=Actor.CUSTOMER).then(version=3, changes_left=0)
    spent.when(update(notes="three")).then_refused(Reason.MAX_CHANGES)
    spent.when(update(notes="two")).then_nothing_happened()
    spent.when(update()).then_nothing_happened()
    spent.when(update(notes="three"), actor=Actor.INTERNAL).then(version=4, changes_left=0)


def test_the_budget_is_the_one_of_the_creation() -> None:
    """A location that changes its mind changes nothing for the bookings that are there."""
    one = given(
        location(customer_policy={"max_changes": 1}), booking(), location(customer_policy={"max_changes": None})
    )
    one.when(update(notes="x")).then(changes_left=0).when(update(notes="y")).then_refused(Reason.MAX_CHANGES)
    free = given(location(), booking(), location(customer_policy={"max_changes": 0}))
    free.when(update(notes="x")).then(version=2, changes_left=None)


def test_actions_use_no_budget() -> None:
    """Only edits count."""
    under(graph="confirm_decline", max_changes=0).when(act("confirm")).then(state="confirmed", changes_left=0)


def test_all_but_the_budget_is_read_live() -> None:
    """can_edit, can_cancel and the window follow the location."""
    one = given(
        location(), booking(graph="instant"), location(customer_policy={"can_edit": False, "can_cancel": False})
    )
    one.when(update(notes="x")).then_refused(Reason.CAN_EDIT)
    one.when(act("cancel")).then_refused(Reason.CAN_CANCEL)


def test_the_policy_is_that_of_the_location_where_the_booking_is() -> None:
    """Moving away does not help; once moved, the new location's policy holds."""
    strict = location("bergen", customer_policy={"can_edit": False})
    one = given(location(), strict, booking(), booking("b2", at="bergen"))
    one.when(update("b2", location_id="oslo")).then_refused(Reason.CAN_EDIT)
    moved = one.when(update(location_id="bergen")).then(location_id="bergen")
    moved.when(update(notes="x")).then_refused(Reason.CAN_EDIT)


@pytest.mark.parametrize(
    ("policy", "now", "patch", "reason"),
    [
        ({"can_edit": False}, START, update(ends_at=hours(0)), Reason.CAN_EDIT),
        ({}, START, update(ends_at=hours(0)), Reason.BEFORE_EDIT_BOOKING),
        ({}, NOW, update(ends_at=hours(0)), Reason.MAX_CHANGES),
        ({}, NOW, update(status_id="2"), Reason.MAX_CHANGES),
    ],
)
def test_the_policy_has_an_order(policy: dict[str, Any], now: datetime, patch: UpdateBooking, reason: Reason) -> None:
    """can_edit, then the window, then the budget, and all of them before what the values say."""
    settings = location(
        customer_policy={"before_edit_minutes": 0, "max_changes": 0, **policy},
        statuses=[{"id": "2", "internal_name": "cancelled", "name": "Cancelled"}],
    )
    given(settings, booking()).when(patch, now=now).then_refused(reason)


@pytest.mark.parametrize(
    ("graph", "action", "state"),
    [
        ("venue", "cancel", "cancelled"),
        ("instant", "cancel", "cancelled"),
        ("instant", "cancel_by_customer", "cancelled_by_customer"),
        ("group_owner", "cancel", "cancelled"),
        ("group_customer", "cancel_by_customer", "cancelled_by_customer"),
        ("status", "cancel", "cancelled"),
    ],
)
def test_the_merchant_forbids_cancelling(graph: str, action: str, state: str) -> None:
    """Neither by action nor by state is anything cancelled from outside where can_cancel is off."""
    one = under(graph=graph, can_cancel=False, can_edit=True)
    for actor in BOUND:
        one.when(act(action), actor=actor).then_refused(Reason.CAN_CANCEL)
    one.when(reach(state.upper())).then_refused(Reason.CAN_CANCEL)
    one.when(act(action), actor=Actor.INTERNAL).then(state=state)


def test_the_merchant_forbids_cancelling_visits() -> None:
    """The rule is about the action, whatever it is done to."""
    one = given(location(customer_policy={"can_cancel": False}), visit())
    one.when(act("cancel", "v1")).then_refused(Reason.CAN_CANCEL)
    one.when(act("complete", "v1")).then(state="complete")
    one.when(act("cancel", "v1"), actor=Actor.INTERNAL).then(tags=["CANCELLED"])


@pytest.mark.parametrize(
    ("graph", "action"),
    [
        ("instant", "complete"),
        ("instant", "reschedule_by_customer"),
        ("confirm_decline", "decline"),
        ("group_customer", "cancel_by_owner"),
    ],
)
def test_no_other_action_is_forbidden(graph: str, action: str) -> None:
    """can_edit, the window and the budget are for edits; can_cancel is for two actions alone."""
    one = under(graph=graph, can_edit=False, can_cancel=False, before_edit_minutes=10**6, max_changes=0)
    one.when(act(action)).then(version=2, action=action)


def test_of_two_who_want_the_last_change_one_gets_it() -> None:
    """Commands that are decided one after the other see what the one before left."""
    one = under(max_changes=1)
    outcomes = one.when(update(notes="0"))
    outcomes.then(changes_left=0)
    for number in range(1, 10):
        outcomes = outcomes.when(update(notes=str(number))).then_refused(Reason.MAX_CHANGES)


def test_a_status_that_stands_for_another_state_now_is_a_real_change() -> None:
    """The budget counts a move that the same status id makes after the catalogue changed."""
    catalogue = [{"id": "1", "internal_name": "confirmed", "name": "x"}]
    moved = [{"id": "1", "internal_name": "attended", "name": "x"}]
    one = given(
        location(customer_policy={"max_changes": 1}, statuses=catalogue), booking(graph="status", status_id="1")
    )
    world = one.when(location(statuses=moved), actor=Actor.INTERNAL)
    spent = world.when(update(status_id="1")).then(state="attended", changes_left=0)
    back = spent.when(location(statuses=catalogue), actor=Actor.INTERNAL)
    back.when(update(status_id="1")).then_refused(Reason.MAX_CHANGES)
