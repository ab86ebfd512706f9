"""The data of a command: the wire models check it, and the domain's commands carry it on."""

from collections.abc import Mapping
from typing import Any, assert_never

from pydantic import TypeAdapter, ValidationError

from schemas import commands as wire
from schemas.errors import problems
from schemas.types import Id
from service.decode.further import further_faults
from service.domain.commands import (
    Command,
    ConfigureLocation,
    CreateBooking,
    CreateVisit,
    ErasePerson,
    StateAction,
    UpdateBooking,
    UpdateVisit,
)
from service.domain.link import Link
from service.domain.model import Fault, Kind, Reason, Refused

ID_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "create-booking": ("booking_id",),
    "update-booking": ("booking_id",),
    "create-visit": ("visit_id",),
    "update-visit": ("visit_id",),
    "state-action": ("booking_id", "visit_id"),
    "configure-location": ("location_id",),
    "erase-person": ("booking_id", "visit_id"),
}
KINDS: Mapping[str, Kind] = {"booking_id": "booking", "visit_id": "visit", "location_id": "location"}

_ID: TypeAdapter[str] = TypeAdapter(Id)

WireCommand = (
    wire.CreateBooking
    | wire.UpdateBooking
    | wire.CreateVisit
    | wire.UpdateVisit
    | wire.StateAction
    | wire.ConfigureLocation
    | wire.ErasePerson
)


def aggregate_named(command_type: str, data: Mapping[str, Any]) -> tuple[Kind, str] | None:
    """Gives the kind and id of the aggregate that the data name, or None when there is no usable id."""
    for member in ID_MEMBERS[command_type]:
        usable = usable_id(data.get(member))
        if usable is not None:
            return KINDS[member], usable
    return None


def usable_id(value: Any) -> str | None:
    """Gives an id as it is kept, or None for what can't be one."""
    try:
        usable: str = _ID.validator.validate_python(value)
    except ValidationError:
        return None
    return usable


def read_body(command_type: str, data: Mapping[str, Any]) -> WireCommand | Refused:
    """Checks the data against the wire model; a refusal lists every fault."""
    try:
        command: WireCommand = wire.COMMANDS[command_type].__pydantic_validator__.validate_python(data)
    except ValidationError as error:
        detail, found = problems(error, command_type)
        faults = tuple(Fault(pointer, text) for pointer, text in found)
        further = further_faults(command_type, data, faults)
        return Refused(Reason.INVALID_FIELD if further else Reason(detail), faults + further)
    return command


def to_command(body: WireCommand, link: Link | None) -> Command:
    """Turns a checked body into the domain's command; `link` is what its token proved."""
    match body:
        case wire.UpdateBooking():
            return UpdateBooking(body.booking_id, body.patch, body.options)
        case wire.StateAction():
            return StateAction(
                "visit" if body.booking_id is None else "booking",
                body.booking_id or body.visit_id or "",
                body.action,
                body.state,
                body.inputs,
                body.apply_to_bulked_bookings,
                body.on_sibling_refusal,
                link,
            )
        case wire.CreateBooking():
            return CreateBooking(
                body.booking_id,
                body.location_id,
                body.booking,
                body.graph,
                body.bulk_id,
                body.owner_booking_id,
                body.options,
            )
        case wire.CreateVisit():
            return CreateVisit(body.visit_id, body.location_id, body.visit, body.customer_id, body.options)
        case wire.UpdateVisit():
            return UpdateVisit(body.visit_id, body.patch, body.options)
        case wire.ConfigureLocation():
            return ConfigureLocation(body.location_id, body.settings)
        case wire.ErasePerson():
            return ErasePerson(
                "visit" if body.booking_id is None else "booking", body.booking_id or body.visit_id or ""
            )
        case _:
            assert_never(body)
