"""Decides whether a booking is registered, and in which state it begins."""

from typing import Any

from service.domain import group, slots, timers
from service.domain.booking_rules import DEFAULTS, OBJECTS, check, faults, status_state
from service.domain.change import created
from service.domain.commands import Context, CreateBooking
from service.domain.graph import Graph
from service.domain.location import existing_location
from service.domain.merge import merge
from service.domain.model import Accepted, Aggregate, Decision, Fault, Members, Reason, Refused, invalid
from service.domain.world import World


def wrong_booking(world: World, command: CreateBooking) -> Refused | None:
    """Refuses a body that is wrong in itself, together with what the location finds wrong with it."""
    given = merge({}, command.booking, OBJECTS)
    members = {**DEFAULTS, **given}
    graph = None if command.graph is None else _graph(world, command.graph)
    found = faults(members, given, "/booking")
    if command.graph is not None and graph is None:
        found = (Fault("/graph", f"expected one of {', '.join(booking_graphs(world))}"), *found)
    if not found:
        return None
    location = world.find("location", command.location_id)
    if location is not None:
        by_status = graph.by_status if graph is not None else frozenset[str]()
        checked = check(members, given, "/booking", location.snapshot, by_status)
        if isinstance(checked, Refused):
            found = tuple(dict.fromkeys((*found, *checked.faults)))
    return Refused(Reason.INVALID_FIELD, found)


def create_booking(world: World, command: CreateBooking, context: Context) -> Decision:
    """Registers a booking at version 1, as a member of its groups."""
    if world.find("booking", command.booking_id) is not None:
        return Refused(Reason.ALREADY_EXISTS)
    location = existing_location(world, command.location_id)
    settings = location.snapshot
    graph = _graph(world, settings["default_graph"] if command.graph is None else command.graph)
    if graph is None:
        return invalid(("/graph", f"expected one of {', '.join(booking_graphs(world))}"))
    if refused := _check_owner(world, command, graph) or _check_groups(world, command):
        return refused
    begun = _begin(command, graph, settings)
    if isinstance(begun, Refused):
        return begun
    holder = Aggregate("booking", context.account_id, command.booking_id, 0, begun)
    taken = slots.take(
        world,
        holder,
        None,
        slots.booking_claim(begun, graph),
        allow_overbooking=slots.overbooking_allowed(settings, command.options),
    )
    if isinstance(taken, Refused):
        return taken
    change = created(
        "booking",
        context.account_id,
        command.booking_id,
        begun,
        context.now,
        options=command.options,
        timers=timers.on_entry(graph, None, begun, context.now),
        slots=taken,
    )
    return Accepted(change.after, (change,))


def _graph(world: World, name: str) -> Graph | None:
    graph = world.graphs.get(name)
    return graph if graph is not None and graph.aggregate == "booking" else None


def booking_graphs(world: World) -> list[str]:
    """Lists the graphs that bookings can follow."""
    return sorted(name for name, graph in world.graphs.items() if graph.aggregate == "booking")


def _begin(command: CreateBooking, graph: Graph, settings: Members) -> dict[str, Any] | Refused:
    members: dict[str, Any] = {**DEFAULTS, **merge({}, command.booking, OBJECTS)}
    state = graph.initial[0]
    if members["status_id"] is not None:
        resolved = status_state(members["status_id"], settings, graph.by_status, "/booking")
        if isinstance(resolved, Refused):
            return resolved
        state = resolved or state
    return members | {
        "location_id": command.location_id,
        "state": state,
        "graph": graph.name,
        "bulk_id": command.bulk_id,
        "owner_booking_id": command.owner_booking_id,
        "changes_left": settings["customer_policy"]["max_changes"],
    }


def _check_owner(world: World, command: CreateBooking, graph: Graph) -> Refused | None:
    owner_id = command.owner_booking_id
    if owner_id is None:
        return None
    if graph.owner_graph is None:
        return invalid(("/owner_booking_id", f"a booking on the graph {graph.name} has no owner"))
    owner = world.find("booking", owner_id)
    if owner is None:
        return Refused(Reason.BOOKING_NOT_FOUND)
    if owner.snapshot["graph"] != graph.owner_graph:
        return invalid(("/owner_booking_id", f"expected a booking on the graph {graph.owner_graph}"))
    return None


def _check_groups(world: World, command: CreateBooking) -> Refused | None:
    names = []
    if command.bulk_id is not None:
        names.append(group.bulk(command.bulk_id))
    if command.owner_booking_id is not None:
        names.append(group.owned(command.owner_booking_id))
    if any(world.group_size(name) >= group.LIMIT for name in names):
        return Refused(Reason.GROUP_FULL)
    return None
