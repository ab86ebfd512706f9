"""The commands, by the names of `ce_type`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from schemas.booking import BookingMembers, BookingOptions, BookingPatch
from schemas.location import LocationSettings
from schemas.types import Id, JsonValue, Positive, Text, Word, text
from schemas.visit import VisitMembers, VisitOptions, VisitPatch

Inputs = Annotated[dict[Word, JsonValue], Field(max_length=20)]
Link = Annotated[str, text(300)]


class Command(BaseModel):
    """Members that all commands share."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account_id: Id
    expected_version: Positive | None = None
    validate_only: bool = False
    reason: Text | None = None


class CreateBooking(Command):
    """Registers a booking on a state graph, optionally in a group."""

    booking_id: Id
    location_id: Id
    graph: Word | None = None
    bulk_id: Id | None = None
    owner_booking_id: Id | None = None
    booking: BookingMembers
    options: BookingOptions = Field(default_factory=BookingOptions)


class UpdateBooking(Command):
    """Changes the members of a booking that the patch names."""

    booking_id: Id
    patch: BookingPatch
    options: BookingOptions = Field(default_factory=BookingOptions)


class CreateVisit(Command):
    """Registers a visit of a customer, who is named or follows from the contact data."""

    visit_id: Id
    location_id: Id
    customer_id: Id | None = None
    visit: VisitMembers = Field(default_factory=VisitMembers)
    options: VisitOptions = Field(default_factory=VisitOptions)


class UpdateVisit(Command):
    """Changes the members of a visit that the patch names."""

    visit_id: Id
    patch: VisitPatch
    options: VisitOptions = Field(default_factory=VisitOptions)


def _exactly_one(first: str, second: str) -> dict[str, Any]:
    given = [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in (first, second)]
    return {"oneOf": given}


class StateAction(Command):
    """Performs an action on a booking or a visit, by the action's name or by the state that is wanted."""

    model_config = ConfigDict(
        json_schema_extra={"allOf": [_exactly_one("booking_id", "visit_id"), _exactly_one("action", "state")]}
    )

    booking_id: Id | None = None
    visit_id: Annotated[Id | None, Field(validate_default=True)] = None
    state: Word | None = None
    action: Annotated[Word | None, Field(validate_default=True)] = None
    inputs: Inputs = Field(default_factory=dict)
    apply_to_bulked_bookings: bool = True
    on_sibling_refusal: Literal["skip", "abort"] = "skip"
    link: Link | None = None

    # Checks of fields, not of the model: only these are reported together with what else is wrong.
    @field_validator("visit_id")
    @classmethod
    def _one_aggregate(cls, visit_id: str | None, info: ValidationInfo) -> str | None:
        return _one_of(visit_id, info.data, "booking_id", "visit_id")

    @field_validator("action")
    @classmethod
    def _one_wish(cls, action: str | None, info: ValidationInfo) -> str | None:
        return _one_of(action, info.data, "state", "action")


def _one_of(value: str | None, data: Mapping[str, Any], other: str, name: str) -> str | None:
    """Refuses both and neither of two members; a wrong `other` is not in `data` and reported by itself."""
    if other in data and (value is None) == (data[other] is None):
        names = {"name": name, "other": other}
        raise PydanticCustomError("one_of", "exactly one of {name} and {other} is needed", names)
    return value


class ConfigureLocation(Command):
    """Sets a location's settings and customer policy."""

    location_id: Id
    settings: LocationSettings


class ErasePerson(Command):
    """Blanks whom a booking or visit is about, in any state; on the internal channel alone."""

    model_config = ConfigDict(json_schema_extra=_exactly_one("booking_id", "visit_id"))

    booking_id: Id | None = None
    visit_id: Annotated[Id | None, Field(validate_default=True)] = None

    @field_validator("visit_id")
    @classmethod
    def _one_aggregate(cls, visit_id: str | None, info: ValidationInfo) -> str | None:
        return _one_of(visit_id, info.data, "booking_id", "visit_id")


COMMANDS: Final[Mapping[str, type[Command]]] = MappingProxyType(
    {
        "create-booking": CreateBooking,
        "update-booking": UpdateBooking,
        "create-visit": CreateVisit,
        "update-visit": UpdateVisit,
        "state-action": StateAction,
        "configure-location": ConfigureLocation,
        "erase-person": ErasePerson,
    }
)

IMMUTABLE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "update-booking": frozenset(
            {"/patch/graph", "/patch/bulk_id", "/patch/owner_booking_id", "/patch/account_id", "/patch/booking_id"}
        ),
        "update-visit": frozenset({"/patch/location_id", "/patch/account_id", "/patch/visit_id"}),
    }
)
