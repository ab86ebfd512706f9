"""What a command must come to when it acts on a whole group: the model of one booking, carried over to its siblings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.e2e.model import Applied, Command, Identity, Outcome, Refused, Unchanged, act, decide
from tests.faults.evidence import Asked, Said

Aggregates = Mapping[Identity, Applied]
# States that are left by themselves when the booking is over.
_TIMED = {("instant", "confirmed"), ("confirm_decline", "confirmed")}


@dataclass(slots=True)
class Facts:
    """What creations say once and for all: the group of each booking that has one, and which had begun by then."""

    groups: dict[str, str] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a command comes to; `said` is its result where one is due, None where a timer came too late."""

    changes: Mapping[Identity, Applied] = field(default_factory=dict)
    said: Said | None = None


def answer(asked: Asked, aggregates: Aggregates, facts: Facts) -> Answer:
    """Decides a command that was not decided before."""
    command = asked.command
    identity: Identity = (command.kind, command.aggregate_id)
    now = aggregates.get(identity)
    if asked.system:
        # Only a timer that is still there has a say; it goes when its state is left.
        if now is None or not plays_by_itself(now):
            return Answer()
        moved = act(command, now)
        return Answer({identity: moved} if isinstance(moved, Applied) else {}, _said(moved, now))
    own = decide(command, now)
    if command.type == "update-booking" and not command.internal and command.aggregate_id in facts.begun:
        # The customer policy closes a booking that has begun; internal systems are not bound by it.
        own = own if isinstance(own, Refused) else Refused("before_edit_booking")
    if isinstance(own, Refused) or command.type != "state-action" or now is None:
        return Answer({identity: own} if isinstance(own, Applied) else {}, _said(own, now))
    changes = {identity: own} if isinstance(own, Applied) else {}
    siblings: set[tuple[str, str, object]] = set()
    for sibling in _siblings(command, aggregates, facts.groups):
        outcome = act(command, sibling)
        if isinstance(outcome, Refused) and command.data.get("on_sibling_refusal") == "abort":
            return Answer({}, Said(refused=outcome.detail))
        siblings.add(_reported(sibling, outcome))
        if isinstance(outcome, Applied):
            changes[sibling.identity] = outcome
    said = _said(own, now)
    return Answer(changes, Said(None, said.outcome, said.version, frozenset(siblings)))


def plays_by_itself(now: Applied) -> bool:
    """Whether the aggregate is in a state with a timer."""
    return (now.graph, now.snapshot["state"]) in _TIMED


def _siblings(command: Command, aggregates: Aggregates, groups: Mapping[str, str]) -> Iterator[Applied]:
    group = groups.get(command.aggregate_id)
    if group is None or command.kind != "booking" or not command.data.get("apply_to_bulked_bookings", True):
        return
    for (kind, booking_id), sibling in aggregates.items():
        if kind == "booking" and booking_id != command.aggregate_id and groups.get(booking_id) == group:
            yield sibling


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
