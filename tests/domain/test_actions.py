from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.commands import Command
from service.domain.model import Reason
from tests.support.builders import act, booking, location, patch_visit, reach, update, visit
from tests.support.spec import Given, given

OUTSIDE = [Actor.EXTERNAL, Actor.CUSTOMER]
INSIDE = [Actor.INTERNAL, Actor.SYSTEM]
PATHS = {
    "registered": [],
    "unconfirmed": ["request_confirmation"],
    "confirmed": ["confirm"],
    "waiting": ["wait"],
    "seated": ["seat"],
    "bill_printed": ["print_bill"],
    "closed": ["close"],
    "no_show": ["mark_no_show"],
    "cancelled": ["cancel"],
}
BLOCKED = ["waiting", "seated", "bill_printed"]
READ_ONLY = ["closed", "no_show", "cancelled"]
LEVELS = dict(zip(PATHS, [0, 1, 2, 3, 4, 5, 6, 6, 6], strict=True))
TARGETS = {path[0]: state for state, path in PATHS.items() if path}
EXTERNAL_ONLY = ["request_confirmation", "confirm"]
INTERNAL_ONLY = ["wait", "seat", "print_bill", "close", "mark_no_show"]


def venue(state: str) -> Given:
    """A venue booking in this state."""
    return given(location(), booking(), *(act(action) for action in PATHS[state]))


def expected(state: str, action: str, actor: Actor) -> Reason | None:
    """What the contract says, in its order: access class, actor, level."""
    if state in READ_ONLY:
        return Reason.READ_ONLY
    if state in BLOCKED and actor in OUTSIDE:
        return Reason.BLOCKED
    if action in INTERNAL_ONLY and actor in OUTSIDE:
        return Reason.ACTOR_NOT_ALLOWED
    if action in EXTERNAL_ONLY and actor is not Actor.EXTERNAL:
        return Reason.ACTOR_NOT_ALLOWED
    return Reason.LEVEL_NOT_INCREASING if LEVELS[TARGETS[action]] <= LEVELS[state] else None


@pytest.mark.parametrize("state", list(PATHS))
@pytest.mark.parametrize("actor", list(Actor))
def test_every_move_of_a_venue(state: str, actor: Actor) -> None:
    """By action and by state alike, from every state by every sender, levels only increase."""
    one = venue(state)
    for action, target in TARGETS.items():
        reason = expected(state, action, actor)
        for command in (act(action), reach(target), reach(target.upper())):
            when = one.when(command, actor=actor)
            if reason is None:
                when.then(action=action, from_state=state, changes={"state": (state, target)})
            else:
                when.then_refused(reason)


@pytest.mark.parametrize("state", list(PATHS))
def test_access_guards_updates_of_a_venue_too(state: str) -> None:
    """Blocked keeps those outside out, read-only everybody, even from a patch that changes nothing."""
    one = venue(state)
    for actor in Actor:
        for patch, changed in ((update(notes="x"), True), (update(), False)):
            when = one.when(patch, actor=actor)
            if state in READ_ONLY:
                when.then_refused(Reason.READ_ONLY)
            elif state in BLOCKED and actor in OUTSIDE:
                when.then_refused(Reason.BLOCKED)
            elif changed:
                when.then(state=state, action=None)
            else:
                when.then_nothing_happened()


@pytest.mark.parametrize(
    ("state", "actor", "reason"),
    [
        ("registered", Actor.EXTERNAL, Reason.UNKNOWN_ACTION),
        ("seated", Actor.INTERNAL, Reason.UNKNOWN_ACTION),
        ("seated", Actor.EXTERNAL, Reason.BLOCKED),
        ("closed", Actor.INTERNAL, Reason.READ_ONLY),
    ],
)
def test_what_a_venue_does_not_know(state: str, actor: Actor, reason: Reason) -> None:
    """An unknown action or state is told after the access class."""
    for command in (act("fly"), act(""), act("Cancel"), reach("flying"), reach("")):
        venue(state).when(command, actor=actor).then_refused(reason)


@pytest.mark.parametrize("state", ["registered", "unconfirmed", "confirmed"])
def test_a_venue_is_never_there_already(state: str) -> None:
    """In a level graph the present state, and the lowest one, is refused rather than unchanged."""
    one = venue(state)
    one.when(reach("registered")).then_refused(Reason.LEVEL_NOT_INCREASING)
    one.when(reach(state)).then_refused(Reason.LEVEL_NOT_INCREASING)


@pytest.mark.parametrize(
    ("graph", "before", "command", "actor", "reason"),
    [
        ("instant", [], act("cancel_by_owner"), Actor.EXTERNAL, Reason.UNKNOWN_ACTION),
        ("instant", [], act("complete"), Actor.CUSTOMER, Reason.ACTOR_NOT_ALLOWED),
        ("instant", ["cancel"], act("complete"), Actor.CUSTOMER, Reason.ACTOR_NOT_ALLOWED),
        ("instant", ["cancel"], act("cancel"), Actor.INTERNAL, Reason.ACTION_NOT_AVAILABLE),
        ("instant", ["cancel"], reach("confirmed"), Actor.EXTERNAL, Reason.ACTION_NOT_AVAILABLE),
        ("instant", [], reach("flying"), Actor.EXTERNAL, Reason.UNKNOWN_ACTION),
        ("confirm_decline", [], act("cancel_by_customer"), Actor.CUSTOMER, Reason.ACTION_NOT_AVAILABLE),
        ("confirm_decline", ["decline"], act("confirm"), Actor.EXTERNAL, Reason.ACTION_NOT_AVAILABLE),
        ("instant_payment", [], act("timeout"), Actor.EXTERNAL, Reason.ACTOR_NOT_ALLOWED),
        ("instant_payment", [], act("timeout"), Actor.INTERNAL, Reason.ACTOR_NOT_ALLOWED),
        ("instant_payment", [], reach("UNPAID"), Actor.INTERNAL, Reason.ACTOR_NOT_ALLOWED),
        ("instant_payment", ["timeout"], reach("unpaid"), Actor.EXTERNAL, None),
        ("instant_payment", [], act("pay"), Actor.EXTERNAL, Reason.INVALID_FIELD),
        ("instant_payment", ["timeout"], act("pay"), Actor.EXTERNAL, Reason.ACTION_NOT_AVAILABLE),
        ("group_customer_payment", [], act("cancel_by_customer"), Actor.CUSTOMER, Reason.ACTION_NOT_AVAILABLE),
        ("group_customer", [], act("cancel"), Actor.EXTERNAL, Reason.UNKNOWN_ACTION),
        ("group_customer", [], act("cancel_by_owner"), Actor.CUSTOMER, Reason.ACTOR_NOT_ALLOWED),
        ("group_owner", ["complete"], act("cancel"), Actor.INTERNAL, Reason.ACTION_NOT_AVAILABLE),
    ],
)
def test_what_other_graphs_refuse(
    graph: str, before: list[str], command: Command, actor: Actor, reason: Reason | None
) -> None:
    """Unknown, then the sender, then what the state offers, then the inputs; the state it is in is accepted."""
    when = given(location(), booking(graph=graph), *(act(action) for action in before)).when(command, actor=actor)
    if reason is None:
        when.then_nothing_happened()
    elif reason is Reason.INVALID_FIELD:
        when.then_refused(reason, "/inputs/payment_id")
    else:
        when.then_refused(reason)


@pytest.mark.parametrize(
    ("graph", "before", "wanted", "actor", "action"),
    [
        ("instant", [], "Cancelled", Actor.EXTERNAL, "cancel"),
        ("instant", [], "cancelled_by_customer", Actor.CUSTOMER, "cancel_by_customer"),
        ("instant", [], "COMPLETED", Actor.INTERNAL, "complete"),
        ("confirm_decline", [], "confirmed", Actor.CUSTOMER, "confirm"),
        ("confirm_decline", [], "declined", Actor.CUSTOMER, "decline"),
        ("confirm_decline", ["confirm"], "rescheduled_by_customer", Actor.CUSTOMER, "reschedule_by_customer"),
        ("instant_payment", [], "unpaid", Actor.SYSTEM, "timeout"),
        ("group_customer", [], "cancelled_by_owner", Actor.EXTERNAL, "cancel_by_owner"),
        ("group_customer_payment", [], "cancelled_by_owner", Actor.EXTERNAL, "cancel_by_owner"),
    ],
)
def test_a_state_stands_for_the_action_that_leads_there(
    graph: str, before: list[str], wanted: str, actor: Actor, action: str
) -> None:
    """A state in any case is the action from where it is."""
    one = given(location(), booking(graph=graph), *(act(name) for name in before))
    one.when(reach(wanted), actor=actor).then(action=action, state=wanted.lower())


DATE: dict[str, Any] = {"date": "2030-05-01T12:00"}
WAITLIST = [
    ("waiting", "serve", "serving", []),
    ("waiting", "complete", "complete", []),
    ("waiting", "cancel", "complete", ["CANCELLED"]),
    ("waiting", "mark_no_show", "complete", ["NO-SHOW"]),
    ("booked", "wait", "waiting", []),
    ("booked", "serve", "serving", []),
    ("booked", "mark_no_show", "complete", ["NO-SHOW"]),
    ("serving", "wait", "waiting", []),
    ("serving", "cancel", "complete", ["CANCELLED"]),
    ("draft", "approve", "booked", []),
    ("draft", "wait", "waiting", []),
    ("draft", "complete", "complete", []),
    ("pending", "approve", "booked", []),
    ("pending", "wait", "waiting", []),
    ("pending", "cancel", "complete", ["CANCELLED"]),
    ("pending", "expire", "complete", ["EXPIRED"]),
    ("complete", "restore", "waiting", []),
]


def visit_in(state: str, **members: Any) -> Given:
    """A visit in this state."""
    dated = DATE if state in ("booked", "draft", "pending") else {}
    wanted = {} if state in ("draft", "pending") else {"state": state}
    settings = location(booking_approval=state == "draft", booking_hold=state == "pending")
    return given(settings, visit(**{**dated, **wanted, **members}))


@pytest.mark.parametrize(("state", "action", "target", "added"), WAITLIST)
def test_the_moves_of_a_visit(state: str, action: str, target: str, added: list[str]) -> None:
    """A visit moves, and a tag tells how it ended."""
    actor = Actor.SYSTEM if action == "expire" else Actor.INTERNAL
    visit_in(state, tags=["vip"]).when(act(action, "v1"), actor=actor).then(
        action=action, from_state=state, state=target, tags=["vip", *added]
    )


@pytest.mark.parametrize("state", ["waiting", "booked", "serving", "draft", "pending", "complete"])
def test_all_other_moves_of_a_visit_are_refused(state: str) -> None:
    """From each state only the moves of the table are legal."""
    graph = given().world.graphs["waitlist"]
    legal = {"complete", "cancel"} | {name for source, name, _, _ in WAITLIST if source == state}
    for action in set(graph.actions) - (legal if state != "complete" else {"restore"}):
        visit_in(state).when(act(action, "v1"), actor=Actor.SYSTEM).then_refused(Reason.ACTION_NOT_AVAILABLE)


def test_a_completed_visit_comes_back_where_its_date_says() -> None:
    """With a date restore leads to booked, by action and by state, and the tags stay."""
    over = given(location(), visit(**DATE), act("cancel", "v1"))
    for command in (act("restore", "v1"), reach("Booked", "v1"), patch_visit(state="BOOKED")):
        over.when(command).then(action="restore", state="booked", tags=["CANCELLED"])
    over.when(reach("waiting", "v1")).then_refused(Reason.ACTION_NOT_AVAILABLE)
    again = over.when(act("restore", "v1")).when(act("cancel", "v1")).then(version=4)
    assert again.change.changes == {"state": ("booked", "complete")}
    assert again.snapshot["tags"] == ["CANCELLED"]


def test_a_tag_of_an_action_may_be_the_eleventh() -> None:
    """Tags that actions add are not limited."""
    full = [f"t{number}" for number in range(10)]
    visit_in("waiting", tags=full).when(act("cancel", "v1")).then(tags=[*full, "CANCELLED"])


@pytest.mark.parametrize("actor", OUTSIDE)
def test_who_may_move_a_visit(actor: Actor) -> None:
    """A no-show is for those inside, expiry for the service itself; customers may but cancel."""
    one = visit_in("waiting")
    one.when(act("mark_no_show", "v1"), actor=actor).then_refused(Reason.ACTOR_NOT_ALLOWED)
    one.when(act("expire", "v1"), actor=actor).then_refused(Reason.ACTOR_NOT_ALLOWED)
    one.when(act("cancel", "v1"), actor=actor).then(tags=["CANCELLED"])
    served = one.when(act("serve", "v1"), actor=actor)
    if actor is Actor.CUSTOMER:
        served.then_refused(Reason.ACTOR_NOT_ALLOWED)
    else:
        served.then(state="serving")


def test_complete_by_state_is_the_action_of_that_name() -> None:
    """Of several actions that lead to complete none but complete is meant."""
    visit_in("waiting").when(reach("COMPLETE", "v1"), actor=Actor.INTERNAL).then(action="complete", tags=[])


def test_who_is_not_there_can_not_act() -> None:
    """Bookings and visits are told apart by what the command names."""
    given(location()).when(act("cancel"), expected_version=1).then_refused(Reason.BOOKING_NOT_FOUND)
    given(location()).when(reach("complete", "v1")).then_refused(Reason.VISIT_NOT_FOUND)
    given(location(), booking()).when(act("fly"), expected_version=2).then_refused(Reason.VERSION_CONFLICT)
