from datetime import timedelta
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.commands import CreateBooking
from service.domain.graph import Action, Graph
from service.domain.group import LIMIT
from service.domain.model import Reason
from tests.support.builders import NOW, act, booking, hours, location, reach, update
from tests.support.spec import Given, given, with_members
from tests.support.world import shipped_graphs

TRIO = (booking("b1", bulk="g"), booking("b2", bulk="g"), booking("b3", bulk="g"))


def test_an_action_is_replicated_over_the_group() -> None:
    """Every other member gets the action, an event of its own, and tells where it came from."""
    world = given(location(), *TRIO, booking("b4", bulk="other"), booking("b5"))
    done = world.when(act("cancel", message="ill")).then_siblings(b2=2, b3=2)
    assert [(one.after.id, one.replicated_from) for one in done.accepted.changes] == [
        ("b1", None),
        ("b2", "b1"),
        ("b3", "b1"),
    ]
    assert {(one.action, one.from_state) for one in done.accepted.changes} == {("cancel", "registered")}
    assert all(one.inputs == {"message": "ill"} for one in done.accepted.changes)


def test_replication_can_be_switched_off() -> None:
    """The action is then the booking's alone."""
    one = given(location(), *TRIO).when(act("confirm", bulk=False)).then(state="confirmed").then_siblings()
    assert len(one.accepted.changes) == 1


def test_a_group_is_of_one_account_and_updates_are_not_replicated() -> None:
    """A patch changes the booking that it names."""
    given(location(), *TRIO).when(update(notes="x")).then(notes="x").then_siblings()


def test_siblings_that_refuse_are_skipped_and_reported() -> None:
    """Each answers as if asked alone."""
    world = given(location(), *TRIO, act("cancel", "b2", bulk=False), act("seat", "b3", bulk=False))
    world.when(act("confirm")).then(state="confirmed").then_siblings(b2=Reason.READ_ONLY, b3=Reason.BLOCKED)
    internal = world.when(act("cancel"), actor=Actor.INTERNAL).then(state="cancelled")
    internal.then_siblings(b2=Reason.READ_ONLY, b3=3)


def test_with_abort_one_refusal_stops_them_all() -> None:
    """The command is refused with the error of the first sibling that refuses."""
    world = given(location(), *TRIO, act("seat", "b2", bulk=False), act("cancel", "b3", bulk=False))
    world.when(act("confirm", on_refusal="abort")).then_refused(Reason.BLOCKED)
    world.when(act("confirm", on_refusal="abort", bulk=False)).then(state="confirmed")
    fine = given(location(), *TRIO).when(act("confirm", on_refusal="abort"))
    fine.then(state="confirmed").then_siblings(b2=2, b3=2)


def test_the_target_comes_first() -> None:
    """What refuses for the booking itself is the answer, whatever its siblings say."""
    world = given(location(), *TRIO, act("cancel", "b1", bulk=False))
    world.when(act("confirm")).then_refused(Reason.READ_ONLY)


def test_siblings_that_are_there_already_are_unchanged() -> None:
    """By state a sibling may be in it; so may the target, whose siblings get the state all the same."""
    trio = [booking(f"b{number}", "confirm_decline", bulk="g") for number in (1, 2, 3)]
    world = given(location(), *trio, act("confirm", "b2", bulk=False))
    world.when(reach("CONFIRMED")).then(action="confirm").then_siblings(b2="unchanged", b3=2)
    world.when(act("confirm")).then_siblings(b2=Reason.ACTION_NOT_AVAILABLE, b3=2)
    world.when(reach("confirmed", on_refusal="abort")).then_siblings(b2="unchanged", b3=2)
    already = world.when(reach("confirmed", "b2")).then_siblings(b1=2, b3=2)
    assert already.accepted.state.version == 2
    assert [one.after.id for one in already.accepted.changes] == ["b1", "b3"]
    assert all(one.replicated_from == "b2" for one in already.accepted.changes)
    alone = already.when(reach("confirmed", "b2")).then_siblings(b1="unchanged", b3="unchanged")
    alone.then_nothing_happened()


def test_siblings_have_graphs_locations_and_inputs_of_their_own() -> None:
    """A sibling may not know the action, may not take its inputs, or may be where cancelling is forbidden."""
    world = given(
        location(),
        location("bergen", customer_policy={"can_cancel": False}),
        booking("b1", "instant", bulk="g"),
        booking("b2", "group_customer", bulk="g"),
        booking("b3", "instant", bulk="g", at="bergen"),
        booking("b4", "instant_payment", bulk="g"),
        booking("b5", "venue", bulk="g"),
    )
    world.when(act("cancel", message="x")).then_siblings(
        b2=Reason.UNKNOWN_ACTION, b3=Reason.CAN_CANCEL, b4=Reason.ACTION_NOT_AVAILABLE, b5=2
    )
    refused = world.when(act("cancel", on_refusal="abort"))
    refused.then_refused(Reason.UNKNOWN_ACTION)


def test_an_expected_version_is_that_of_the_target() -> None:
    """Siblings have whatever version they have."""
    world = given(location(), *TRIO, act("confirm", "b2", bulk=False))
    world.when(act("cancel"), expected_version=1).then_siblings(b2=3, b3=2)
    world.when(act("cancel"), expected_version=2).then_refused(Reason.VERSION_CONFLICT)


def test_siblings_bear_a_time_that_does_not_go_back() -> None:
    """Each member has a time of its own."""
    late = given(location(), *TRIO).when(update("b2", notes="x"), now=NOW + timedelta(hours=1))
    done = late.when(act("confirm"), now=NOW)
    assert [one.after.snapshot["updated_at"] for one in done.accepted.changes] == [
        "2030-01-01T12:00:00Z",
        "2030-01-01T13:00:00Z",
        "2030-01-01T12:00:00Z",
    ]


def owned() -> Given:
    """A session with four seats: one taken, one given back, one unpaid, one paid."""
    return given(
        location(),
        booking("b0", "group_owner"),
        booking("b1", "group_customer", owner="b0"),
        booking("b2", "group_customer", owner="b0"),
        booking("b3", "group_customer_payment", owner="b0"),
        booking("b4", "group_customer_payment", owner="b0"),
        booking("b5", "group_customer"),
        act("cancel_by_customer", "b2"),
        act("pay", "b4", payment_id="p"),
    )


@pytest.mark.parametrize("actor", [Actor.EXTERNAL, Actor.CUSTOMER, Actor.INTERNAL])
def test_an_owner_who_cancels_takes_the_customers_along(actor: Actor) -> None:
    """Every linked booking that can is cancelled by its owner, whoever cancelled and whatever siblings may refuse."""
    done = owned().when(act("cancel", "b0", message="ill", on_refusal="abort"), actor=actor).then(state="cancelled")
    done.then_siblings(b1=2, b2=Reason.ACTION_NOT_AVAILABLE, b3=2, b4=3)
    assert [(one.after.id, one.action, one.replicated_from) for one in done.accepted.changes[1:]] == [
        ("b1", "cancel_by_owner", "b0"),
        ("b3", "cancel_by_owner", "b0"),
        ("b4", "cancel_by_owner", "b0"),
    ]
    assert done.after.aggregates["booking", "b5"].version == 1


def test_an_owner_cascades_by_state_and_without_replication() -> None:
    """The cascade belongs to the action, not to the bulk group."""
    owned().when(reach("CANCELLED", "b0", bulk=False)).then_siblings(b1=2, b2=Reason.ACTION_NOT_AVAILABLE, b3=2, b4=3)
    owned().when(act("complete", "b0")).then(state="completed").then_siblings()
    owned().when(act("cancel", "b0")).when(reach("cancelled", "b0")).then_nothing_happened().then_siblings()


def test_a_customer_who_cancels_takes_nobody_along() -> None:
    """Neither the owner nor the other customers change."""
    owned().when(act("cancel_by_customer", "b1")).then(state="cancelled_by_customer").then_siblings()


def test_an_owner_in_a_group_is_cancelled_without_its_customers() -> None:
    """Replication never replicates again."""
    world = given(
        location(),
        booking("b1", "group_owner", bulk="g"),
        booking("b2", "group_owner", bulk="g"),
        booking("b3", "group_customer", owner="b1"),
        booking("b4", "group_customer", owner="b2"),
    )
    world.when(act("cancel")).then(state="cancelled").then_siblings(b2=2, b3=2)


def test_a_customer_in_the_group_of_its_owner_is_reported_once() -> None:
    """The cascade has the last word where the group's action was refused."""
    world = given(
        location(),
        booking("b1", "group_owner", bulk="g"),
        booking("b2", "group_customer", owner="b1", bulk="g"),
    )
    world.when(act("cancel")).then(state="cancelled").then_siblings(b2=2)


def test_a_booking_changes_once_however_it_is_reached() -> None:
    """Where an operator's graph takes the group's action as well as the cascade, the action comes first."""
    shipped = shipped_graphs()
    customer = shipped["group_customer"]
    cancel = Action("cancel", frozenset({"confirmed"}), "cancelled_by_owner", frozenset(Actor), ())
    both = Graph(
        "both",
        "booking",
        customer.initial,
        customer.states,
        {**customer.actions, "cancel": cancel},
        owner_graph="group_owner",
    )
    world = given(
        location(),
        booking("b1", "group_owner", bulk="g"),
        booking("b2", "both", owner="b1", bulk="g"),
        graphs={**shipped, "both": both},
    )
    done = world.when(act("cancel")).then(state="cancelled").then_siblings(b2=2)
    assert [one.action for one in done.accepted.changes] == ["cancel", "cancel"]


@pytest.mark.parametrize(
    ("command", "reason", "pointers"),
    [
        (booking("b9", "group_customer", owner="nobody"), Reason.BOOKING_NOT_FOUND, []),
        (booking("b9", "group_customer", owner="b1"), Reason.INVALID_FIELD, ["/owner_booking_id"]),
        (booking("b9", "group_customer_payment", owner="b5"), Reason.INVALID_FIELD, ["/owner_booking_id"]),
        (booking("b9", "venue", owner="b0"), Reason.INVALID_FIELD, ["/owner_booking_id"]),
        (booking("b9", "instant", owner="nobody"), Reason.INVALID_FIELD, ["/owner_booking_id"]),
        (booking("b9", "group_owner", owner="b0"), Reason.INVALID_FIELD, ["/owner_booking_id"]),
        (booking("b9", "group_customer", owner="b9"), Reason.BOOKING_NOT_FOUND, []),
    ],
)
def test_an_owner_is_a_group_owner(command: CreateBooking, reason: Reason, pointers: list[str]) -> None:
    """Only group_customer* bookings have an owner, which must be there and be a group_owner."""
    owned().when(command).then_refused(reason, *pointers)


def full(size: int, *, owner: str | None = None, bulk: str | None = None) -> Given:
    """A group with so many bookings, cancelled ones among them."""
    world = given(location(), booking("b0", "group_owner"), booking("b1", "group_customer", owner=owner, bulk=bulk))
    first = world.world.aggregates["booking", "b1"]
    over = {**first.snapshot, "state": "cancelled_by_customer"}
    rest = [
        first._replace(id=f"m{number}", snapshot=first.snapshot if number % 2 else over) for number in range(size - 1)
    ]
    return with_members(world.world, *rest)


@pytest.mark.parametrize("group", [{"bulk": "g"}, {"owner": "b0"}])
def test_a_group_has_a_thousand_members(group: dict[str, Any]) -> None:
    """The thousandth may join, the next may not; bookings that are over count on, other groups are free."""
    one = full(LIMIT - 1, **group).when(booking("last", "group_customer", **group)).then(version=1)
    one.when(booking("more", "group_customer", **group)).then_refused(Reason.GROUP_FULL)
    one.when(booking("more", "group_customer", bulk="other")).then(version=1)
    one.when(booking("last", "group_customer", **group)).then_refused(Reason.ALREADY_EXISTS)
    one.when(booking("more", "group_customer", ends_at=hours(0), **group)).then_refused(
        Reason.INVALID_FIELD, "/booking/ends_at"
    )


def test_a_full_group_acts_as_one() -> None:
    """A thousand members change in one decision."""
    done = full(LIMIT, bulk="g").when(act("cancel_by_customer"))
    outcomes = [one.outcome for one in done.accepted.siblings]
    assert len(outcomes) == LIMIT - 1
    assert outcomes.count("applied") == len(done.accepted.changes) - 1 == 499


def test_who_owns_a_booking_does_not_count_in_its_bulk_group() -> None:
    """A bulk group and an owner of one name are two groups."""
    world = given(location(), booking("b0", "group_owner"), booking("b1", "group_customer", owner="b0"))
    world.when(booking("b2", "venue", bulk="b0")).when(act("cancel", "b0")).then_siblings(b1=2)
