from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.commands import Command
from service.domain.model import KEEP_TIMERS, Reason, Timer, Timers
from tests.support.builders import NOW, act, booking, hours, location, patch_visit, reach, update, visit
from tests.support.spec import When, given

DATE: dict[str, Any] = {"date": "2030-05-01T12:00"}
COMPLETE = {"complete": NOW + timedelta(hours=27)}
LATER = NOW + timedelta(minutes=3)


def created(graph: str, **members: Any) -> When:
    """A booking that was just created."""
    return given(location()).when(booking(graph=graph, **members))


@pytest.mark.parametrize(
    ("graph", "timers"),
    [
        ("venue", {}),
        ("instant", COMPLETE),
        ("confirm_decline", {}),
        ("instant_payment", {"timeout": NOW + timedelta(minutes=5)}),
        ("group_owner", COMPLETE),
        ("group_customer", COMPLETE),
        ("group_customer_payment", {"timeout": NOW + timedelta(minutes=5)}),
        ("status", {}),
    ],
)
def test_a_creation_starts_the_timers_of_its_state(graph: str, timers: dict[str, datetime]) -> None:
    """Complete an hour after the end, timeout five minutes after the command was taken."""
    assert created(graph).timers == timers


def test_a_move_ends_the_timers_of_what_was_left_and_starts_the_next() -> None:
    """Payment ends the timeout and starts completion; cancelling ends them all."""
    paid = created("instant_payment").when(act("pay", payment_id="p"), now=LATER)
    assert paid.timers == COMPLETE
    assert paid.change.timers == Timers(clear=True, start=(Timer("complete", COMPLETE["complete"]),))
    assert paid.when(act("cancel"), now=LATER).timers == {}
    assert created("instant_payment").when(act("timeout"), actor=Actor.SYSTEM).timers == {}
    confirmed = created("confirm_decline").when(act("confirm"))
    assert confirmed.timers == COMPLETE
    assert confirmed.change.timers.clear is False


def test_a_new_end_moves_completion() -> None:
    """The timer follows ends_at, also into the past, and nothing else moves it."""
    one = created("instant")
    assert one.when(update(ends_at=hours(30))).timers == {"complete": NOW + timedelta(hours=31)}
    past = one.when(update(starts_at=hours(-9), ends_at=hours(-8)), now=LATER)
    assert past.timers == {"complete": NOW - timedelta(hours=7)}
    same = update(notes="x", ends_at=hours(26))
    for patch in (same, update(notes="x"), update(starts_at=hours(25)), update(resource_id="t")):
        assert one.when(patch).then(timers=KEEP_TIMERS).timers == COMPLETE


def test_an_update_does_not_prolong_a_timeout() -> None:
    """What counts from the entry of a state runs on."""
    one = created("instant_payment")
    moved = one.when(update(ends_at=hours(30)), now=LATER).then(timers=KEEP_TIMERS)
    assert moved.timers == {"timeout": NOW + timedelta(minutes=5)}
    paid = moved.when(act("pay", payment_id="p"))
    assert paid.timers == {"complete": NOW + timedelta(hours=31)}


def test_a_refusal_or_nothing_touches_no_timer() -> None:
    """Only a change does."""
    one = created("instant")
    assert one.when(reach("confirmed")).then_nothing_happened().timers == COMPLETE
    assert one.when(update(ends_at=hours(26))).then_nothing_happened().timers == COMPLETE


@pytest.mark.parametrize(
    ("command", "actor"),
    [(act("complete"), Actor.SYSTEM), (act("complete"), Actor.EXTERNAL), (reach("completed"), Actor.INTERNAL)],
)
def test_completion_ends_in_a_final_state(command: Command, actor: Actor) -> None:
    """By itself or by hand, before its time or after."""
    for now in (NOW, NOW + timedelta(hours=28)):
        done = created("instant").when(command, actor=actor, now=now).then(state="completed", action="complete")
        assert done.timers == {}


def test_a_timer_loses_cleanly_against_a_manual_action() -> None:
    """What comes too late is refused, and nothing changes."""
    created("instant_payment").when(act("pay", payment_id="p")).when(act("timeout"), actor=Actor.SYSTEM).then_refused(
        Reason.ACTION_NOT_AVAILABLE
    )


def test_a_held_visit_expires_after_ten_minutes() -> None:
    """From its creation on; every way out of pending ends the timer."""
    held = given(location(booking_hold=True)).when(visit(**DATE), now=LATER)
    assert held.timers == {"expire": LATER + timedelta(minutes=10)}
    assert held.when(patch_visit(party_size=2), now=LATER + timedelta(minutes=1)).timers == held.timers
    assert held.when(patch_visit(date="2030-05-02T12:00")).timers == held.timers
    for command in (act("approve", "v1"), act("cancel", "v1"), reach("waiting", "v1"), patch_visit(state="booked")):
        assert held.when(command).timers == {}
    expired = held.when(act("expire", "v1"), actor=Actor.SYSTEM)
    expired.then(state="complete", tags=["EXPIRED"])
    assert expired.timers == {}
    for actor in (Actor.EXTERNAL, Actor.CUSTOMER, Actor.INTERNAL):
        held.when(act("expire", "v1"), actor=actor).then_refused(Reason.ACTOR_NOT_ALLOWED)


def test_a_visit_that_is_created_out_of_pending_does_not_expire() -> None:
    """The timers are those of the state that it begins in."""
    world = given(location(booking_hold=True))
    assert world.when(visit(state="booked", **DATE)).timers == {}
    assert world.when(visit()).timers == {}
    assert world.when(visit(state="pending", **DATE)).timers != {}


def test_siblings_have_timers_of_their_own() -> None:
    """Replication starts and ends them for each."""
    world = given(
        location(),
        booking("b1", "instant_payment", bulk="g"),
        booking("b2", "instant_payment", bulk="g", ends_at=hours(30)),
    )
    paid = world.when(act("pay", payment_id="p"), now=LATER)
    assert paid.after.timers["booking", "b1"] == COMPLETE
    assert paid.after.timers["booking", "b2"] == {"complete": NOW + timedelta(hours=31)}


def test_the_end_of_the_calendar_is_the_last_moment() -> None:
    """An end so late that no hour follows has its timer at the very end."""
    late = created("instant", starts_at="9999-12-31T00:00:00Z", ends_at="9999-12-31T23:59:59Z")
    assert late.timers == {"complete": datetime.max.replace(tzinfo=UTC)}


def test_a_status_moves_no_timer() -> None:
    """The status graph has none."""
    settings = location(statuses=[{"id": "1", "internal_name": "attended", "name": "x"}])
    given(settings, booking(graph="status")).when(update(status_id="1")).then(timers=KEEP_TIMERS)
