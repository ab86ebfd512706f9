from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.commands import Command
from service.domain.model import KEEP_SLOTS, Reason, Slots
from tests.support.builders import act, booking, hours, location, patch_visit, update, visit
from tests.support.spec import Given, given

STRICT = location(booking_allow_overbooking=False)
FORCE = {"allow_overbooking": True}
MIND = {"allow_overbooking": False}
HELD = booking("b1", resource_id="t-1", starts_at=hours(24), ends_at=hours(26))


def at(start: float, end: float, resource: str | None = "t-1") -> dict[str, Any]:
    """Members of a booking that holds a resource from hour to hour."""
    return {"starts_at": hours(start), "ends_at": hours(end), "resource_id": resource}


def on_day(clock: str, duration: int | None = 3600, *resources: str) -> dict[str, Any]:
    """Members of a visit that holds resources on the day after NOW, 24 hours later being 12:00."""
    return {"date": f"2030-01-02T{clock}", "duration": duration, "resource_ids": list(resources or ["t-1"])}


PERIODS = [
    (20, 24, True),
    (20, 24.001, False),
    (26, 27, True),
    (25.999, 27, False),
    (24, 26, False),
    (24.5, 25, False),
    (20, 30, False),
    (24, 25, False),
    (25, 26, False),
]


@pytest.mark.parametrize(("start", "end", "fine"), PERIODS)
def test_a_resource_is_held_once_at_a_time(start: float, end: float, fine: bool) -> None:  # noqa: FBT001
    """Slots may touch but not overlap, at creation and by a patch; another resource is free."""
    world = given(STRICT, HELD, booking("b9"))
    created = world.when(booking("b2", **at(start, end)))
    patched = world.when(update("b9", **at(start, end)))
    if fine:
        created.then(version=1)
        patched.then(version=2)
    else:
        created.then_refused(Reason.SLOT_TAKEN)
        patched.then_refused(Reason.SLOT_TAKEN)
    world.when(booking("b2", **at(start, end, "t-2"))).then(version=1)
    world.when(booking("b2", **at(start, end, None))).then(version=1)


@pytest.mark.parametrize("settings", [{}, {"booking_allow_overbooking": True}, {"booking_allow_overbooking": None}])
def test_overbooking_is_allowed_by_default(settings: dict[str, Any]) -> None:
    """Where it is allowed a resource is held by many, unless the call minds."""
    world = given(location(**settings), HELD)
    both = world.when(booking("b2", **at(24, 26))).then(version=1)
    both.when(booking("b3", options=MIND, **at(24, 26))).then_refused(Reason.SLOT_TAKEN)
    both.when(booking("b3", options=MIND, **at(26, 27))).then(version=1)


def test_the_option_of_the_call_comes_before_the_setting() -> None:
    """A slot that was forced is held against everybody who comes later."""
    world = given(STRICT, HELD)
    forced = world.when(booking("b2", options=FORCE, **at(25, 28))).then(version=1)
    forced.when(booking("b3", **at(27, 29))).then_refused(Reason.SLOT_TAKEN)
    forced.when(update("b1", ends_at=hours(28))).then_refused(Reason.SLOT_TAKEN)
    forced.when(update("b1", options=FORCE, ends_at=hours(28))).then(version=2)
    forced.when(update("b1", notes="x")).then(version=2, slots=KEEP_SLOTS)
    forced.when(update("b1", resource_id="t-2")).then(version=2)


def test_who_was_let_in_where_overbooking_was_allowed_still_holds() -> None:
    """The rule is that of the new holder alone."""
    world = given(location(), HELD, STRICT)
    world.when(booking("b2", **at(25, 27))).then_refused(Reason.SLOT_TAKEN)
    elsewhere = given(location(), STRICT, location("bergen"), HELD)
    elsewhere.when(booking("b2", at="bergen", **at(25, 27))).then(version=1).when(
        booking("b3", **at(26.5, 29))
    ).then_refused(Reason.SLOT_TAKEN)


@pytest.mark.parametrize(
    ("graph", "ending"),
    [
        ("venue", act("cancel")),
        ("venue", act("close")),
        ("venue", act("mark_no_show")),
        ("instant", act("complete")),
        ("instant", act("reschedule_by_customer")),
        ("confirm_decline", act("decline")),
        ("instant_payment", act("timeout")),
        ("group_customer", act("cancel_by_owner")),
        ("status", act("cancel")),
    ],
)
def test_a_final_state_gives_the_slot_back(graph: str, ending: Command) -> None:
    """A booking that is over holds nothing, and takes nothing when it is changed."""
    settings = location(
        booking_allow_overbooking=False, statuses=[{"id": "1", "internal_name": "attended", "name": "x"}]
    )
    over = given(settings, booking(graph=graph, **at(24, 26)), ending)
    assert over.world.held == {}
    taken = over.when(booking("b2", **at(24, 26))).then(version=1)
    assert set(taken.after.held) == {("booking", "b2")}
    if graph != "venue":
        taken.when(update(starts_at=hours(25)), actor=Actor.INTERNAL).then(version=3)


def test_other_moves_keep_the_slot() -> None:
    """A live booking holds its resource in whatever state."""
    seated = given(STRICT, HELD, act("confirm"), act("seat"))
    seated.when(booking("b2", **at(25, 27))).then_refused(Reason.SLOT_TAKEN)
    settings = location(
        booking_allow_overbooking=False, statuses=[{"id": "1", "internal_name": "no_show", "name": "x"}]
    )
    no_show = given(settings, booking(graph="status", **at(24, 26)), update(status_id="1"))
    no_show.when(booking("b2", **at(25, 27))).then_refused(Reason.SLOT_TAKEN)


@pytest.mark.parametrize(
    "patch", [{"resource_id": None}, {"resource_id": "t-2"}, {"starts_at": hours(26), "ends_at": hours(28)}]
)
def test_a_booking_that_moves_away_gives_its_slot_back(patch: dict[str, Any]) -> None:
    """What it held before is free for the next command."""
    world = given(STRICT, HELD, booking("b2"))
    world.when(update("b1", **patch)).when(update("b2", resource_id="t-1")).then(resource_id="t-1")


def test_a_booking_is_not_in_its_own_way() -> None:
    """It may shrink, grow and shift over its own slot."""
    world = given(STRICT, HELD)
    patches: list[dict[str, Any]] = [{"ends_at": hours(25)}, {"ends_at": hours(30)}, at(25, 27)]
    for patch in patches:
        changed = world.when(update(**patch)).then(version=2)
        assert len(changed.after.held) == 1
        assert changed.change.slots.release


def test_two_swap_in_order() -> None:
    """A swap needs a place in between; each command sees what the one before left."""
    world = given(STRICT, HELD, booking("b2", **at(24, 26, "t-2")))
    world.when(update("b1", resource_id="t-2")).then_refused(Reason.SLOT_TAKEN)
    away = world.when(update("b1", resource_id=None)).when(update("b2", resource_id="t-1")).then(resource_id="t-1")
    away.when(update("b1", resource_id="t-2")).then(resource_id="t-2")


def test_moving_to_a_strict_location_asks_for_the_slot() -> None:
    """The rule is that of where the booking goes; a resource is one and the same at every location of the account."""
    world = given(location(), location("bergen", booking_allow_overbooking=False), HELD)
    both = world.when(booking("b2", **at(25, 27)))
    both.when(update("b2", location_id="bergen")).then_refused(Reason.SLOT_TAKEN)
    both.when(update("b2", location_id="bergen", starts_at=hours(26))).then(location_id="bergen")
    both.when(update("b2", location_id="bergen", options=FORCE)).then(location_id="bergen")


def visits(*commands: Command) -> Given:
    """A strict location where a visit holds t-1 and t-2 from 12:00 to 13:00 tomorrow."""
    return given(STRICT, visit("v1", **on_day("12:00", 3600, "t-1", "t-2")), *commands)


@pytest.mark.parametrize(
    ("clock", "duration", "resources", "fine"),
    [
        ("13:00", 3600, ["t-1"], True),
        ("12:59", 60, ["t-1"], False),
        ("11:00", 3600, ["t-2"], True),
        ("11:00", 3601, ["t-2"], False),
        ("12:30", 60, ["t-3", "t-2"], False),
        ("12:30", 60, ["t-3", "t-4"], True),
        ("12:30", 0, ["t-1"], True),
        ("12:30", None, ["t-1"], True),
        ("12:30", 60, ["t-3", "t-3"], True),
    ],
)
def test_a_visit_holds_each_of_its_resources(clock: str, duration: int, resources: list[str], fine: bool) -> None:  # noqa: FBT001
    """Against visits, by a date with a duration; without a duration nothing is held."""
    created = visits().when(visit("v2", **on_day(clock, duration, *resources)))
    patched = visits(visit("v2")).when(patch_visit("v2", **on_day(clock, duration, *resources)))
    if fine:
        created.then(version=1)
        patched.then(version=2)
    else:
        created.then_refused(Reason.SLOT_TAKEN)
        patched.then_refused(Reason.SLOT_TAKEN)


def test_visits_and_bookings_stand_in_each_others_way() -> None:
    """A resource does not care who holds it."""
    visits().when(booking(**at(24.5, 25))).then_refused(Reason.SLOT_TAKEN)
    visits().when(booking(**at(25, 26))).then(version=1)
    given(STRICT, HELD).when(visit("v1", **on_day("13:59"))).then_refused(Reason.SLOT_TAKEN)
    given(STRICT, HELD).when(visit("v1", **on_day("14:00"))).then(version=1)
    visits().when(visit("v2", options=FORCE, **on_day("12:00"))).then(version=1)


@pytest.mark.parametrize("patch", [{"date": None}, {"duration": None}, {"duration": 0}, {"resource_ids": []}])
def test_a_visit_without_one_of_the_three_holds_nothing(patch: dict[str, Any]) -> None:
    """Taking date, duration or resources away gives the slot back."""
    free = visits().when(patch_visit("v1", **patch)).then(slots=Slots(release=True, hold=None))
    assert free.after.held == {}


def test_a_visit_that_is_over_gives_back_and_restore_takes_again() -> None:
    """Restore needs the slot as a new holder does."""
    over = visits(act("cancel", "v1"))
    assert over.world.held == {}
    back = over.when(act("restore", "v1")).then(state="booked")
    assert set(back.after.held) == {("visit", "v1")}
    other = over.when(visit("v2", **on_day("12:30"))).then(version=1)
    for command in (act("restore", "v1"), patch_visit("v1", state="booked")):
        other.when(command).then_refused(Reason.SLOT_TAKEN)
    other.when(patch_visit("v1", state="booked", options=FORCE)).then(state="booked")
    other.when(patch_visit("v1", state="booked", duration=1800)).then(state="booked", duration=1800)


def test_a_pending_visit_holds_its_slot_until_it_expires() -> None:
    """Live is all that is not final."""
    held = given(location(booking_allow_overbooking=False, booking_hold=True), visit("v1", **on_day("12:00")))
    held.when(visit("v2", **on_day("12:30"))).then_refused(Reason.SLOT_TAKEN)
    expired = held.when(act("expire", "v1"), actor=Actor.SYSTEM).then(tags=["EXPIRED"])
    expired.when(visit("v2", **on_day("12:30"))).then(state="pending")


def test_the_slot_of_a_visit_is_on_the_clock_of_its_location() -> None:
    """Noon in Oslo is 11:00 UTC in winter."""
    oslo = location(booking_allow_overbooking=False, timezone="Europe/Oslo")
    world = given(oslo, visit("v1", **on_day("12:00")))
    world.when(booking(**at(23, 24))).then_refused(Reason.SLOT_TAKEN)
    world.when(booking(**at(24, 25))).then(version=1)


def test_a_visit_whose_date_is_skipped_since_the_clock_changed_still_gives_back() -> None:
    """A new time zone that never shows the date takes nothing away and leaves nothing behind."""
    date: dict[str, Any] = {"date": "2030-03-31T02:30", "duration": 3600, "resource_ids": ["t-1"]}
    world = given(STRICT, visit("v1", **date), location(timezone="Europe/Oslo"))
    assert world.when(act("cancel", "v1")).then(state="complete").after.held == {}
    moved = world.when(patch_visit("v1", duration=60)).then(duration=60)
    assert moved.change.slots.release
