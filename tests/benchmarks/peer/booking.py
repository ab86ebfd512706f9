"""The peer's models: the command as it comes in, the booking as it is kept."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]
Text = Annotated[str, Field(max_length=500)]
Note = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(max_length=200)]
Tag = Annotated[str, Field(max_length=64)]
Money = Annotated[Decimal, Field(ge=0, decimal_places=4)]


def _zulu(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


Instant = Annotated[AwareDatetime, PlainSerializer(_zulu, when_used="json")]


class UpdateBooking(BaseModel):
    """The command; its patch is checked by the booking that it makes."""

    model_config = ConfigDict(extra="forbid")

    account_id: Id
    booking_id: Id
    expected_version: int | None = None
    reason: Text | None = None
    patch: dict[str, Any]


class Guest(BaseModel):
    """The person who is expected."""

    model_config = ConfigDict(extra="forbid")

    first_name: Name | None = None
    last_name: Name | None = None
    phone: Text | None = None
    email: Text | None = None


class Booking(BaseModel):
    """A whole booking; it is also what a change event shows."""

    model_config = ConfigDict(extra="forbid")

    location_id: Id
    state: str
    graph: str
    starts_at: Instant
    ends_at: Instant
    service_id: Id | None = None
    provider_id: Id | None = None
    customer_id: Id | None = None
    resource_id: Id | None = None
    price: Money | None = None
    notes: Note | None = None
    guest: Guest | None = None
    guest_count: Annotated[int, Field(ge=1, le=10_000)] = 1
    comment: Note | None = None
    ext_reference_id: Name | None = None
    ext_reference_number: Name | None = None
    ext_properties: dict[str, Text] = Field(default_factory=dict)
    scenario_name: Name | None = None
    tags: Annotated[list[Tag], Field(max_length=10)] = Field(default_factory=list)
    types: Annotated[list[Text], Field(max_length=10)] = Field(default_factory=list)
    updated_at: Instant


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396: a null removes, an object merges, everything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
