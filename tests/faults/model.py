"""What a command must come to beside others: the model of one aggregate, carried over to groups, limits and links."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tests.e2e.model import Applied, Command, Identity, Outcome, Refused, Unchanged, act, decide
from tests.faults.evidence import Asked, Said
from tests.faults.model_limits import no_room
from tests.faults.model_state import Facts, State

# What happens by itself in a state: when the booking is over, or was not paid in time.
_BY_ITSELF = {
    ("instant", "confirmed"): "complete",
    ("confirm_decline", "confirmed"): "complete",
    ("group_owner", "tentative"): "complete",
    ("group_customer", "confirmed"): "complete",
    ("group_customer_payment", "tentative"): "timeout",
    ("group_customer_payment", "paid"): "complete",
}
_CASCADES = {("group_owner", "cancel"): "cancel_by_owner"}


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a command comes to; `said` is its result where one is due, None where a timer came too late."""

    changes: Mapping[Identity, Applied] = field(default_factory=dict)
    said: Said | None = None
    link: str | None = None


def answer(asked: Asked, state: State, facts: Facts, *, expired: bool = False) -> Answer:
    """Decides a command that was not decided before; of one that may have come too late, `expired` says whether."""
    command = asked.command
    now = state.aggregates.get((command.kind, command.aggregate_id))
    if asked.system:
        # Only a timer that is still there has a say; it goes when its state is left.
        if now is None or plays_by_itself(now) != command.data["action"]:
            return Answer()
        moved = act(command, now)
        return Answer({now.identity: moved} if isinstance(moved, Applied) else {}, _said(moved, now))
    own = _own(command, now, state, facts)
    if asked.expiry == "past" or (asked.expiry == "near" and expired):
        own = own if own == Refused("invalid_field") else Refused("expired")
    found = _with_others(command, own, now, state, facts)
    if command.data.get("validate_only") and found.said is not None and found.said.refused is None:
        return Answer({}, replace(found.said, outcome="validated"))
    return found


def plays_by_itself(now: Applied) -> str | None:
    """The action that a timer takes in this state, where there is one."""
    return _BY_ITSELF.get((now.graph, now.snapshot["state"]))


def _own(command: Command, now: Applied | None, state: State, facts: Facts) -> Outcome:
    """What becomes of the command's own aggregate."""
    if now is not None and "link" in command.data:
        return Refused("link_used") if command.data["link"] in state.used else act(command, now)
    own = decide(command, now)
    if isinstance(own, Refused):
        return own
    if now is None:
        return no_room(command, state, facts) or own
    if command.type == "update-booking" and not command.internal and command.aggregate_id in facts.begun:
        # The customer policy closes a booking that has begun; internal systems are not bound by it.
        return Refused("before_edit_booking")
    return own


def _with_others(command: Command, own: Outcome, now: Applied | None, state: State, facts: Facts) -> Answer:
    """Carries an action on to the group, and from an owner to the bookings that it owns."""
    changes = {own.identity: own} if isinstance(own, Applied) else {}
    said = _said(own, now)
    if isinstance(own, Refused) or command.type != "state-action" or now is None:
        return Answer(changes, said)
    siblings: set[tuple[str, str, object]] = set()
    for sibling, carried in _carried(command, own, now, state, facts):
        outcome = act(carried, sibling)
        if isinstance(outcome, Refused) and command.data.get("on_sibling_refusal") == "abort":
            return Answer({}, Said(refused=outcome.detail))
        siblings.add(_reported(sibling, outcome))
        if isinstance(outcome, Applied):
            changes[sibling.identity] = outcome
    link = command.data.get("link") if isinstance(own, Applied) else None
    return Answer(changes, replace(said, siblings=frozenset(siblings)), link)


def _carried(
    command: Command, own: Outcome, now: Applied, state: State, facts: Facts
) -> Iterator[tuple[Applied, Command]]:
    name = command.aggregate_id
    group = facts.groups.get(name)
    if group is not None and command.data.get("apply_to_bulked_bookings", True):
        yield from ((sibling, command) for sibling in _bookings(state, facts.groups, group, name))
    cascade = _CASCADES.get((now.graph, command.data["action"]))
    if cascade is not None and isinstance(own, Applied):
        itself = replace(command, data={"action": cascade})
        yield from ((seat, itself) for seat in _bookings(state, facts.owners, name, name))


def _bookings(state: State, belonging: Mapping[str, str], to: str, but: str) -> Iterator[Applied]:
    for (kind, booking_id), one in state.aggregates.items():
        if kind == "booking" and booking_id != but and belonging.get(booking_id) == to:
            yield one


def _said(outcome: Outcome, now: Applied | None) -> Said:
    match outcome:
        case Refused(detail):
            return Said(refused=detail)
        case Applied(version=version):
            return Said(None, "applied", version)
        case Unchanged():
            return Said(None, "unchanged", now.version if now else None)


def _reported(sibling: Applied, outcome: Outcome) -> tuple[str, str, object]:
    name = sibling.identity[1]
    match outcome:
        case Applied(version=version):
            return name, "applied", version
        case Unchanged():
            return name, "unchanged", sibling.version
        case Refused(detail):
            return name, "refused", detail
