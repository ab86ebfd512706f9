"""Settings of a location as commands carry them; null goes back to the default."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from schemas.booking import CLOSED
from schemas.types import Count, Id, SnakeCase, Text, TimeZone, Word

SlotMinutes = Annotated[int, Field(strict=True, ge=1, le=1440)]


class CustomerPolicy(TypedDict, total=False):
    """What external and customer actors may change, and until when."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    can_edit: bool | None
    can_cancel: bool | None
    before_edit_minutes: Count | None
    max_changes: Count | None


class Status(TypedDict):
    """An entry of the status catalogue; `internal_name` is a state of the graph `status`."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    id: Id
    internal_name: SnakeCase
    name: Text


def _unique(statuses: list[Status]) -> list[Status]:
    if len({status["id"] for status in statuses}) < len(statuses):
        raise PydanticCustomError("unique_ids", "must not name an id twice")
    return statuses


Statuses = Annotated[list[Status], Field(max_length=100), AfterValidator(_unique)]


class LocationSettings(TypedDict, total=False):
    """Change of a location's settings as a JSON merge patch."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    timezone: TimeZone | None
    default_graph: Word | None
    customer_policy: CustomerPolicy | None
    booking_allow_overbooking: bool | None
    max_customer_visits: Count | None
    booking_approval: bool | None
    booking_hold: bool | None
    action_links: bool | None
    slot_minutes: SlotMinutes | None
    statuses: Statuses | None
