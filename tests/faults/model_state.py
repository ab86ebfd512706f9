"""What the model knows at a point of the order: aggregates, links that were used, and facts that never change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.e2e.model import Applied, Command, Identity

Aggregates = Mapping[Identity, Applied]
# The location that lets a customer have so many visits, and no resource be taken twice; its events offer links.
STRICT = "bergen"
MOST_VISITS = 2
STRICT_SETTINGS = {"max_customer_visits": MOST_VISITS, "booking_allow_overbooking": False, "action_links": True}


@dataclass(frozen=True, slots=True)
class State:
    """What the commands so far have led to."""

    aggregates: Aggregates = field(default_factory=dict)
    used: frozenset[str] = frozenset()


@dataclass(slots=True)
class Facts:
    """What creations say once and for all: a booking's group, owner and place, and a visit's customer."""

    groups: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    customers: dict[str, str] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def learn(self, command: Command) -> None:
        """Takes what a creation says, whether it is accepted or not."""
        if not command.type.startswith("create-"):
            return
        name, data = command.aggregate_id, command.data
        booking = data.get("booking", {})
        if data.get("bulk_id") is not None:
            self.groups[name] = data["bulk_id"]
        if data.get("owner_booking_id") is not None:
            self.owners[name] = data["owner_booking_id"]
        if "starts_at" in booking and datetime.fromisoformat(booking["starts_at"]) <= datetime.now(UTC):
            self.begun.add(name)
        if data.get("location_id") == STRICT and booking.get("resource_id") is not None:
            self.places[name] = (booking["resource_id"], booking["starts_at"])
        if data.get("location_id") == STRICT and command.kind == "visit":
            self.customers[name] = data["customer_id"]


def bond(command: Command) -> tuple[str, str] | None:
    """What ties the aggregate of a creation to others, so that they can be judged together only."""
    data, booking = command.data, command.data.get("booking", {})
    if not command.type.startswith("create-"):
        return None
    if data.get("bulk_id") is not None:
        return "group", data["bulk_id"]
    if data.get("owner_booking_id") is not None:
        return "owner", data["owner_booking_id"]
    if data.get("graph") == "group_owner":
        return "owner", command.aggregate_id
    if data.get("location_id") == STRICT and booking.get("resource_id") is not None:
        return "resource", booking["resource_id"]
    if data.get("location_id") == STRICT and command.kind == "visit":
        return "customer", data["customer_id"]
    return None
