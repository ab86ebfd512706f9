"""Decides an action on a booking or visit, and what it does to the other bookings of its group.

Replication never replicates again: a sibling gets the action as if it were asked alone, without its own group.
"""

from dataclasses import replace

from service.domain import group, slots, timers
from service.domain.actor import Actor
from service.domain.change import altered
from service.domain.commands import Context, StateAction
from service.domain.link import Link, with_use
from service.domain.location import existing_location
from service.domain.model import Accepted, Aggregate, Changed, Decision, Members, Reason, Refused, SiblingOutcome
from service.domain.moves import Already, Wish, find_move, moved_members
from service.domain.world import World

CASCADE_INPUTS: Members = {}


def state_action(world: World, target: Aggregate, command: StateAction, context: Context) -> Decision:
    """Performs the action on the target, then on its bulk group, then on the bookings it owns."""
    wish = Wish(command.action, command.state, command.inputs)
    if command.link is not None and _is_for_another(command.link, wish, target, world):
        return Refused(Reason.INVALID_SIGNATURE)
    own = act(world, target, wish, context, link=command.link)
    if isinstance(own, Refused):
        return own
    changes = {target.id: own} if own else {}
    siblings: dict[str, SiblingOutcome] = {}
    if target.kind == "booking":
        asked = [(sibling, wish, context) for sibling in _bulk_siblings(world, target, command)]
        asked += _owned(world, target, own, context)
        for sibling, sibling_wish, asker in asked:
            # One in both the group and the cascade changes once, and is reported once.
            if sibling.id in changes:
                continue
            outcome = act(world, sibling, sibling_wish, asker, replicated_from=target.id)
            if isinstance(outcome, Refused) and sibling_wish is wish and command.on_sibling_refusal == "abort":
                return outcome
            siblings[sibling.id] = _report(sibling, outcome)
            if isinstance(outcome, Changed):
                changes[sibling.id] = outcome
    return Accepted(own.after if own else target, tuple(changes.values()), tuple(siblings.values()))


def _is_for_another(link: Link, wish: Wish, target: Aggregate, world: World) -> bool:
    """Tells whether the state that is asked for is reached by another action than the link's."""
    if wish.state is None:
        return False
    members = target.snapshot
    graph = world.graphs[members["graph"]]
    action = graph.actions.get(link.action)
    if action is None or wish.state.lower() not in action.targets:
        return True
    resolved = graph.resolve_state(members["state"], wish.state, members, Actor.CUSTOMER)
    return resolved is not None and resolved.name != link.action


def act(
    world: World,
    aggregate: Aggregate,
    wish: Wish,
    context: Context,
    *,
    replicated_from: str | None = None,
    link: Link | None = None,
) -> Changed | Refused | None:
    """Performs one action on one aggregate, and uses the link up; None when it is in the wanted state already."""
    members = aggregate.snapshot
    graph = world.graphs[members["graph"]]
    location = existing_location(world, members["location_id"])
    move = find_move(graph, members, wish, context.actor, location.snapshot)
    if isinstance(move, Refused):
        return move
    if isinstance(move, Already):
        return None
    moved = moved_members(members, move)
    new = {**members, **moved}
    taken = slots.take(
        world,
        aggregate,
        _claim(aggregate, members, world, location.snapshot),
        _claim(aggregate, new, world, location.snapshot),
        allow_overbooking=slots.overbooking_allowed(location.snapshot, {}),
    )
    if isinstance(taken, Refused):
        return taken
    return altered(
        aggregate,
        moved,
        context.now,
        action=move.action.name,
        inputs=move.inputs,
        replicated_from=replicated_from,
        timers=timers.on_entry(graph, members["state"], new, context.now),
        slots=taken,
        memo=None if link is None else with_use(aggregate.memo, link, context.now),
    )


def _claim(aggregate: Aggregate, members: Members, world: World, settings: Members) -> slots.Claim | None:
    graph = world.graphs[members["graph"]]
    if aggregate.kind == "booking":
        return slots.booking_claim(members, graph)
    return slots.visit_claim(members, graph, settings["timezone"])


def _bulk_siblings(world: World, target: Aggregate, command: StateAction) -> list[Aggregate]:
    bulk_id = target.snapshot["bulk_id"]
    if bulk_id is None or not command.apply_to_bulked_bookings:
        return []
    return _load(world, group.bulk(bulk_id), target.id)


def _owned(
    world: World, target: Aggregate, own: Changed | None, context: Context
) -> list[tuple[Aggregate, Wish, Context]]:
    """The cascade is the graph's own doing, so it is not bound by what the sender may do to each booking."""
    if own is None or own.action is None:
        return []
    cascade = world.graphs[target.snapshot["graph"]].actions[own.action].cascade
    if cascade is None:
        return []
    wish, itself = Wish(cascade, None, CASCADE_INPUTS), context._replace(actor=Actor.SYSTEM)
    return [(booking, wish, itself) for booking in _load(world, group.owned(target.id), target.id)]


def _load(world: World, name: str, but: str) -> list[Aggregate]:
    found = (world.find("booking", booking_id) for booking_id in world.members(name) if booking_id != but)
    return [booking for booking in found if booking is not None]


def _report(sibling: Aggregate, outcome: Changed | Refused | None) -> SiblingOutcome:
    match outcome:
        case Changed():
            return SiblingOutcome(sibling.id, "applied", outcome.after.version)
        case Refused():
            return SiblingOutcome(sibling.id, replace(outcome, faults=()), None)
        case None:
            return SiblingOutcome(sibling.id, "unchanged", sibling.version)
