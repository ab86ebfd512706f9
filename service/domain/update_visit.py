"""Decides what a patch does to a visit: a move by state first, then the members."""

from typing import Any

from service.domain import slots, timers
from service.domain.change import altered
from service.domain.commands import Context, UpdateVisit
from service.domain.customer import CONTACT, derive_customer_id
from service.domain.graph import Graph
from service.domain.location import existing_location
from service.domain.model import Accepted, Aggregate, Decision, Members, Reason, Refused, invalid
from service.domain.moves import Already, Move, Wish, access, find_move, moved_members
from service.domain.visit_limit import over_limit
from service.domain.visit_rules import faults, merged_members
from service.domain.world import World


def update_visit(world: World, visit: Aggregate, command: UpdateVisit, context: Context) -> Decision:
    """Merges the patch and moves the visit where the patch names a state."""
    old, graph = visit.snapshot, world.graphs[visit.snapshot["graph"]]
    location = existing_location(world, old["location_id"])
    if "customer_id" in command.patch and (visit.memo or {}).get("customer_given"):
        return invalid(("/patch/customer_id", "the visit was created with its customer"), reason=Reason.IMMUTABLE_FIELD)
    if refused := access(graph, old["state"], context.actor):
        return refused
    merged, deprecated = merged_members(old, command.patch)
    move = _move(graph, {**old, **merged}, command, context, location.snapshot)
    if isinstance(move, Refused):
        return move
    new = {**old, **merged}
    if found := faults(new, command.patch, "/patch", location.snapshot, command.options):
        return Refused(Reason.INVALID_FIELD, found)
    if move is not None:
        merged |= moved_members(new, move)
    memo = _assign_customer(visit, merged, command.patch)
    return _change(world, visit, merged, command, context, move, memo, deprecated, location.snapshot)


def _move(
    graph: Graph, members: Members, command: UpdateVisit, context: Context, settings: Members
) -> Move | Refused | None:
    wanted = command.patch.get("state")
    if wanted is None:
        return None
    move = find_move(graph, members, Wish(None, wanted, {}), context.actor, settings)
    return None if isinstance(move, Already) else move


def _assign_customer(visit: Aggregate, merged: dict[str, Any], patch: Members) -> Members | None:
    """Derives the customer anew when the contact changes, unless an id was given; remembers one that is given now."""
    if "customer_id" in patch:
        return {**(visit.memo or {}), "customer_named": True}
    named = visit.memo is not None and (visit.memo.get("customer_given") or visit.memo.get("customer_named"))
    if not named and any(member in patch for member in CONTACT):
        merged["customer_id"] = derive_customer_id(visit.account_id, {**visit.snapshot, **merged})
    return None


def _change(
    world: World,
    visit: Aggregate,
    members: dict[str, Any],
    command: UpdateVisit,
    context: Context,
    move: Move | None,
    memo: Members | None,
    deprecated: tuple[str, ...],
    settings: Members,
) -> Decision:
    old, new, now = visit.snapshot, {**visit.snapshot, **members}, context.now
    graph = world.graphs[old["graph"]]
    if refused := _claims(world, visit, new, command, settings):
        return refused
    taken = slots.take(
        world,
        visit,
        slots.visit_claim(old, graph, settings["timezone"]),
        slots.visit_claim(new, graph, settings["timezone"]),
        allow_overbooking=slots.overbooking_allowed(settings, command.options),
    )
    if isinstance(taken, Refused):
        return taken
    started = (
        timers.on_entry(graph, old["state"], new, now)
        if new["state"] != old["state"]
        else timers.on_update(graph, old, new, now)
    )
    action = move.action.name if move else None
    change = altered(
        visit, members, now, action=action, options=command.options, timers=started, slots=taken, memo=memo
    )
    return (
        Accepted(change.after, (change,), deprecated=deprecated) if change else Accepted(visit, deprecated=deprecated)
    )


def _claims(world: World, visit: Aggregate, new: Members, command: UpdateVisit, settings: Members) -> Refused | None:
    """Checks what the visit newly claims beyond itself: an external id, a place among its customer's active visits."""
    old, graph = visit.snapshot, world.graphs[visit.snapshot["graph"]]
    external_id = new["external_id"]
    if external_id is not None and external_id != old["external_id"]:
        holder = world.external_id_holder(external_id)
        if holder is not None and holder != visit.id:
            return Refused(Reason.EXTERNAL_ID_TAKEN)
    counted = old["customer_id"] == new["customer_id"] and not graph.states[old["state"]].final
    if command.options.get("public_mode") and not counted and over_limit(world, visit.id, new, settings, graph):
        return Refused(Reason.MAX_CUSTOMER_VISITS)
    return None
