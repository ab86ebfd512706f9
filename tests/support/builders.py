"""Commands with as little in them as they need, and the places and times that tests speak of."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from service.domain.commands import (
    ConfigureLocation,
    CreateBooking,
    CreateVisit,
    StateAction,
    UpdateBooking,
    UpdateVisit,
)
from service.domain.instants import instant_text

ACCOUNT: Final = "acc-1"
OSLO: Final = "oslo"
NOW: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)


def hours(count: float) -> str:
    """The instant so many hours after NOW, as text."""
    return instant_text(NOW + timedelta(hours=count))


def location(location_id: str = OSLO, **settings: Any) -> ConfigureLocation:
    """Configures a location."""
    return ConfigureLocation(location_id, settings)


def booking(
    booking_id: str = "b1",
    graph: str | None = None,
    *,
    at: str = OSLO,
    bulk: str | None = None,
    owner: str | None = None,
    options: Mapping[str, Any] | None = None,
    **members: Any,
) -> CreateBooking:
    """Creates a booking that starts in 24 hours and ends in 26."""
    times = {"starts_at": hours(24), "ends_at": hours(26)}
    return CreateBooking(booking_id, at, {**times, **members}, graph, bulk, owner, options or {})


def update(booking_id: str = "b1", /, options: Mapping[str, Any] | None = None, **patch: Any) -> UpdateBooking:
    """Patches a booking."""
    return UpdateBooking(booking_id, patch, options or {})


def visit(
    visit_id: str = "v1",
    *,
    at: str = OSLO,
    customer: str | None = "c-1",
    options: Mapping[str, Any] | None = None,
    **members: Any,
) -> CreateVisit:
    """Creates a visit of the customer c-1."""
    return CreateVisit(visit_id, at, members, customer, options or {})


def patch_visit(visit_id: str = "v1", /, options: Mapping[str, Any] | None = None, **patch: Any) -> UpdateVisit:
    """Patches a visit."""
    return UpdateVisit(visit_id, patch, options or {})


def act(
    action: str,
    target_id: str = "b1",
    *,
    bulk: bool = True,
    on_refusal: Literal["skip", "abort"] = "skip",
    **inputs: Any,
) -> StateAction:
    """Asks for an action; ids that begin with v are visits."""
    return StateAction(_kind(target_id), target_id, action, None, inputs, bulk, on_refusal)


def reach(
    state: str,
    target_id: str = "b1",
    *,
    bulk: bool = True,
    on_refusal: Literal["skip", "abort"] = "skip",
    **inputs: Any,
) -> StateAction:
    """Asks for a state; ids that begin with v are visits."""
    return StateAction(_kind(target_id), target_id, None, state, inputs, bulk, on_refusal)


def _kind(target_id: str) -> Literal["booking", "visit"]:
    return "visit" if target_id.startswith("v") else "booking"


def tags(count: int, stem: str = "t") -> list[str]:
    """So many different tags."""
    return [f"{stem}{number}" for number in range(count)]
