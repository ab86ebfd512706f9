"""Decides what a patch does to a booking: access, customer policy, then the rules of its members."""

from typing import Any

from service.domain import slots, timers
from service.domain.booking_rules import OBJECTS, check
from service.domain.change import altered
from service.domain.commands import Context, UpdateBooking
from service.domain.graph import Graph
from service.domain.location import existing_location
from service.domain.merge import merge
from service.domain.model import KEEP_SLOTS, Accepted, Aggregate, Decision, Members, Reason, Refused, Slots
from service.domain.moves import access
from service.domain.policy import budget_spent, forbids_edit
from service.domain.world import World


def update_booking(world: World, booking: Aggregate, command: UpdateBooking, context: Context) -> Decision:
    """Merges the patch; the guards stand in the order of the contract, and a no-op consumes nothing."""
    old = booking.snapshot
    graph = world.graphs[old["graph"]]
    settings = existing_location(world, old["location_id"]).snapshot
    if refused := access(graph, old["state"], context.actor) or _status_frozen(graph, old, command.patch):
        return refused
    merged = merge(old, command.patch, OBJECTS)
    new = {**old, **merged}
    moved = new["location_id"] != old["location_id"]
    new_settings = existing_location(world, new["location_id"]).snapshot if moved else settings
    state = check(new, command.patch, "/patch", new_settings, graph.by_status)
    if isinstance(state, str):
        merged["state"] = new["state"] = state
    real = not merged.items() <= old.items()
    if context.actor.bound_by_policy:
        if reason := forbids_edit(old, settings, context.now):
            return Refused(reason)
        if real and budget_spent(old):
            return Refused(Reason.MAX_CHANGES)
    if isinstance(state, Refused):
        return state
    if not real:
        return Accepted(booking)
    taken = (
        KEEP_SLOTS
        if slots.CLAIMED.isdisjoint(merged)
        else slots.take(
            world,
            booking,
            slots.booking_claim(old, graph),
            slots.booking_claim(new, graph),
            allow_overbooking=slots.overbooking_allowed(new_settings, command.options),
        )
    )
    if isinstance(taken, Refused):
        return taken
    return _change(booking, merged, new, command, context, graph, taken)


def _status_frozen(graph: Graph, old: Members, patch: Members) -> Refused | None:
    """A status can't be set any more where the graph has left the states that statuses stand for."""
    if graph.by_status and patch.get("status_id") is not None and old["state"] not in graph.by_status:
        return Refused(Reason.ACTION_NOT_AVAILABLE)
    return None


def _change(
    booking: Aggregate,
    members: dict[str, Any],
    new: Members,
    command: UpdateBooking,
    context: Context,
    graph: Graph,
    taken: Slots,
) -> Accepted:
    old = booking.snapshot
    if context.actor.bound_by_policy and old["changes_left"] is not None:
        members["changes_left"] = old["changes_left"] - 1
    started = (
        timers.on_entry(graph, old["state"], new, context.now)
        if new["state"] != old["state"]
        else timers.on_update(graph, old, new, context.now)
    )
    change = altered(booking, members, context.now, options=command.options, timers=started, slots=taken)
    return Accepted(change.after, (change,)) if change else Accepted(booking)
