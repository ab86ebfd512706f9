"""Decides whether a visit is registered, whose it is, and in which state it begins."""

from typing import Any

from service.domain import slots, timers
from service.domain.change import created
from service.domain.commands import Context, CreateVisit
from service.domain.customer import derive_customer_id, is_identified
from service.domain.graph import Graph
from service.domain.location import existing_location
from service.domain.model import Accepted, Aggregate, Decision, Fault, Members, Reason, Refused
from service.domain.moves import Already, Move, Wish, find_move, moved_members
from service.domain.visit_limit import over_limit
from service.domain.visit_rules import DEFAULTS, faults, merged_members
from service.domain.world import World

GRAPH = "waitlist"


def wrong_visit(world: World, command: CreateVisit) -> Refused | None:
    """Refuses a body that is wrong in itself, together with what the location finds wrong with it."""
    given, _ = merged_members({}, command.visit)
    members = {**DEFAULTS, **given}
    nobody = not (command.customer_id or given.get("customer_id") or is_identified(given))
    if not nobody and not faults(members, command.visit, "/visit", None, command.options):
        return None
    location = world.find("location", command.location_id)
    settings = None if location is None else location.snapshot
    unknown = (Fault("/customer_id", "expected customer_id, or contact data in visit"),) if nobody else ()
    return Refused(
        Reason.INVALID_FIELD, (*unknown, *faults(members, command.visit, "/visit", settings, command.options))
    )


def create_visit(world: World, command: CreateVisit, context: Context) -> Decision:
    """Registers a visit at version 1."""
    if world.find("visit", command.visit_id) is not None:
        return Refused(Reason.ALREADY_EXISTS)
    location = existing_location(world, command.location_id)
    settings, graph = location.snapshot, world.graphs[GRAPH]
    given, deprecated = merged_members({}, command.visit)
    explicit = command.customer_id or given.get("customer_id")
    members: dict[str, Any] = {**DEFAULTS, **given}
    members["customer_id"] = explicit or derive_customer_id(context.account_id, members)
    if found := faults(members, command.visit, "/visit", settings, command.options):
        return Refused(Reason.INVALID_FIELD, found)
    begun = _begin(graph, members, command, context, settings)
    if isinstance(begun, Refused):
        return begun
    return _register(
        world, begun, command, context, settings, deprecated, {"customer_given": True} if explicit else None
    )


def initial_state(members: Members, settings: Members) -> str:
    """Tells the state that a visit begins in (after Waitwhile's booking hold and booking approval)."""
    if members["date"] is not None:
        if settings["booking_hold"]:
            return "pending"
        return "draft" if settings["booking_approval"] else "booked"
    return "booked" if members["starts_at"] is not None else "waiting"


def _begin(
    graph: Graph, members: dict[str, Any], command: CreateVisit, context: Context, settings: Members
) -> dict[str, Any] | Refused:
    begun = members | {
        "state": initial_state(members, settings),
        "location_id": command.location_id,
        "graph": graph.name,
    }
    wanted = command.visit.get("state")
    if wanted is None:
        return begun
    move = find_move(graph, begun, Wish(None, wanted, {}), context.actor, settings)
    match move:
        case Refused():
            return move
        case Already():
            return begun
        case Move():
            return begun | moved_members(begun, move)


def _register(
    world: World,
    members: dict[str, Any],
    command: CreateVisit,
    context: Context,
    settings: Members,
    deprecated: tuple[str, ...],
    memo: Members | None,
) -> Decision:
    graph = world.graphs[GRAPH]
    if members["external_id"] is not None and world.external_id_holder(members["external_id"]) is not None:
        return Refused(Reason.EXTERNAL_ID_TAKEN)
    if command.options.get("public_mode") and over_limit(world, command.visit_id, members, settings, graph):
        return Refused(Reason.MAX_CUSTOMER_VISITS)
    taken = slots.take(
        world,
        Aggregate("visit", context.account_id, command.visit_id, 0, members),
        None,
        slots.visit_claim(members, graph, settings["timezone"]),
        allow_overbooking=slots.overbooking_allowed(settings, command.options),
    )
    if isinstance(taken, Refused):
        return taken
    change = created(
        "visit",
        context.account_id,
        command.visit_id,
        members,
        context.now,
        options=command.options,
        timers=timers.on_entry(graph, None, members, context.now),
        slots=taken,
        memo=memo,
    )
    return Accepted(change.after, (change,), deprecated=deprecated)
