"""The merchant's customer policy, which binds external and customer actors (after AgendaPro Connect v3).

The order of the guards is part of the contract: can_edit, before_edit_booking, max_changes.
"""

from datetime import datetime, timedelta
from functools import lru_cache

from service.domain.instants import instant
from service.domain.model import Members, Reason

# Longer than the calendar of instants, so that any larger window means the same.
LONGEST_WINDOW_MINUTES = 10_000 * 366 * 24 * 60
CANCEL_ACTIONS = frozenset({"cancel", "cancel_by_customer"})


def forbids_edit(booking: Members, settings: Members, now: datetime) -> Reason | None:
    """Tells why the booking may not be edited at all now; a start that lies exactly one window ahead is locked."""
    policy = settings["customer_policy"]
    if not policy["can_edit"]:
        return Reason.CAN_EDIT
    if instant(booking["starts_at"]) - now <= _window(policy["before_edit_minutes"]):
        return Reason.BEFORE_EDIT_BOOKING
    return None


@lru_cache(maxsize=256)
def _window(minutes: int) -> timedelta:
    return timedelta(minutes=min(minutes, LONGEST_WINDOW_MINUTES))


def budget_spent(booking: Members) -> bool:
    """Tells whether no change is left of the budget that the booking got at its creation (None: no limit)."""
    return booking["changes_left"] is not None and booking["changes_left"] <= 0


def forbids_cancel(action: str, settings: Members) -> bool:
    """Tells whether the merchant forbids what this action does."""
    return action in CANCEL_ACTIONS and not settings["customer_policy"]["can_cancel"]
