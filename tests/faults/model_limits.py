"""What keeps a booking or visit from being made: no owner, a place that is taken, too many visits of one customer."""

from tests.e2e.model import Command, Refused
from tests.faults.model_state import MOST_VISITS, Facts, State

_OVER = frozenset({"cancelled", "cancelled_by_customer", "completed", "rescheduled_by_customer", "declined"})


def no_room(command: Command, state: State, facts: Facts) -> Refused | None:
    """The refusal of a creation that would be right in itself."""
    name, owner = command.aggregate_id, command.data.get("owner_booking_id")
    if owner is not None and ("booking", owner) not in state.aggregates:
        return Refused("booking")
    if name in facts.places and _is_taken(name, state, facts):
        return Refused("slot_taken")
    public = command.data.get("options", {}).get("public_mode", False)
    if public and name in facts.customers and _visits(name, state, facts) >= MOST_VISITS:
        return Refused("max_customer_visits")
    return None


def _is_taken(name: str, state: State, facts: Facts) -> bool:
    """Whether a live booking has the same resource; times are the same or apart."""
    return any(
        facts.places.get(other) == facts.places[name] and one.snapshot["state"] not in _OVER
        for (kind, other), one in state.aggregates.items()
        if kind == "booking"
    )


def _visits(name: str, state: State, facts: Facts) -> int:
    """How many visits of this customer are not over."""
    return sum(
        facts.customers.get(other) == facts.customers[name] and one.snapshot["state"] != "complete"
        for (kind, other), one in state.aggregates.items()
        if kind == "visit"
    )
