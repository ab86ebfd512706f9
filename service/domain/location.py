"""Settings of a location: merged over those so far, null for the default."""

from typing import Any

from service.domain.change import altered, created
from service.domain.commands import ConfigureLocation, Context
from service.domain.model import Accepted, Aggregate, Decision, Members, Refused, invalid
from service.domain.world import World

POLICY_DEFAULTS: Members = {"can_edit": True, "can_cancel": True, "before_edit_minutes": 0, "max_changes": None}
DEFAULTS: Members = {
    "timezone": "UTC",
    "default_graph": "venue",
    "customer_policy": POLICY_DEFAULTS,
    "booking_allow_overbooking": True,
    "max_customer_visits": None,
    "booking_approval": False,
    "booking_hold": False,
    "action_links": False,
    "slot_minutes": None,
    "statuses": [],
}


def wrong_settings(world: World, command: ConfigureLocation) -> Refused | None:
    """Refuses a default graph that bookings can't follow."""
    name = command.settings.get("default_graph")
    known = sorted(graph.name for graph in world.graphs.values() if graph.aggregate == "booking")
    if name is None or name in known:
        return None
    return invalid(("/settings/default_graph", f"expected one of {', '.join(known)}"))


def configure_location(location: Aggregate | None, command: ConfigureLocation, context: Context) -> Decision:
    """Begins a location, or changes its settings."""
    members = merged_settings(DEFAULTS if location is None else location.snapshot, command.settings)
    if location is None:
        change = created("location", context.account_id, command.location_id, {**DEFAULTS, **members}, context.now)
        return Accepted(change.after, (change,))
    altered_now = altered(location, members, context.now)
    return Accepted(altered_now.after, (altered_now,)) if altered_now else Accepted(location)


def merged_settings(old: Members, given: Members) -> dict[str, Any]:
    """Merges settings; inside the customer policy null stands for the default too."""
    merged: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            merged[name] = DEFAULTS[name]
        elif name == "customer_policy":
            policy = {key: POLICY_DEFAULTS[key] if item is None else item for key, item in value.items()}
            merged[name] = {**old[name], **policy}
        else:
            merged[name] = value
    return merged


def existing_location(world: World, location_id: str) -> Aggregate:
    """Gives a location that an earlier guard has found; LookupError tells that it was never loaded."""
    location = world.find("location", location_id)
    if location is None:
        raise LookupError(f"location {location_id} was not loaded")
    return location
