"""The one door of the core: a command, the account as it stands, and out comes what changes, or why nothing does."""

from typing import assert_never

from service.domain.commands import (
    Command,
    ConfigureLocation,
    Context,
    CreateBooking,
    CreateVisit,
    ErasePerson,
    StateAction,
    UpdateBooking,
    UpdateVisit,
)
from service.domain.create_booking import create_booking, wrong_booking
from service.domain.create_visit import create_visit, wrong_visit
from service.domain.erase import erase_person
from service.domain.link import Link, is_used
from service.domain.location import configure_location, wrong_settings
from service.domain.model import Aggregate, Decision, Kind, Reason, Refused
from service.domain.state_action import state_action
from service.domain.update_booking import update_booking
from service.domain.update_visit import update_visit
from service.domain.world import World

NOT_FOUND = {
    "booking": Reason.BOOKING_NOT_FOUND,
    "visit": Reason.VISIT_NOT_FOUND,
    "location": Reason.LOCATION_NOT_FOUND,
}


def decide(world: World, command: Command, context: Context) -> Decision:
    """Decides one command.

    Guards: right in itself, what it needs is there, the version is the one expected, then its own rules.
    """
    if wrong := _wrong(world, command):
        return wrong
    kind, aggregate_id = target(command)
    found = world.find(kind, aggregate_id)
    if missing := _missing(world, command, found):
        return Refused(missing)
    if context.expected_version is not None and context.expected_version != (found.version if found else None):
        return Refused(Reason.VERSION_CONFLICT)
    return _carry_out(world, found, command, context)


def _carry_out(world: World, found: Aggregate | None, command: Command, context: Context) -> Decision:
    match command:
        case UpdateBooking():
            return update_booking(world, _there(found), command, context)
        case UpdateVisit():
            return update_visit(world, _there(found), command, context)
        case StateAction():
            return state_action(world, _there(found), command, context)
        case CreateBooking():
            return create_booking(world, command, context)
        case CreateVisit():
            return create_visit(world, command, context)
        case ConfigureLocation():
            return configure_location(found, command, context)
        case ErasePerson():
            return erase_person(_there(found), context)
        case _:
            assert_never(command)


def _wrong(world: World, command: Command) -> Refused | None:
    """Refuses what the body alone shows to be wrong, as if it were a member of the wrong type."""
    match command:
        case UpdateBooking() | UpdateVisit() | StateAction() | ErasePerson():
            return None
        case CreateBooking():
            return wrong_booking(world, command)
        case CreateVisit():
            return wrong_visit(world, command)
        case ConfigureLocation():
            return wrong_settings(world, command)
        case _:
            assert_never(command)


def _missing(world: World, command: Command, found: Aggregate | None) -> Reason | None:
    """Names what the command needs and the account doesn't have; a link that was used is as good as none."""
    match command:
        case UpdateBooking() if found is not None and "location_id" in command.patch:
            location_id = command.patch["location_id"]
        case StateAction(link=Link() as link) if found is not None and is_used(found, link):
            return Reason.LINK_USED
        case UpdateBooking() | UpdateVisit() | StateAction() | ErasePerson():
            return None if found else NOT_FOUND[target(command)[0]]
        case CreateBooking() | CreateVisit():
            location_id = command.location_id
        case ConfigureLocation():
            return None
        case _:
            assert_never(command)
    return None if world.find("location", location_id) else Reason.LOCATION_NOT_FOUND


def _there(found: Aggregate | None) -> Aggregate:
    if found is None:
        raise LookupError("the aggregate was not found, and the guard before did not say so")
    return found


def target(command: Command) -> tuple[Kind, str]:
    """Names the aggregate that a command is about."""
    match command:
        case UpdateBooking() | CreateBooking():
            return "booking", command.booking_id
        case UpdateVisit() | CreateVisit():
            return "visit", command.visit_id
        case StateAction() | ErasePerson():
            return command.kind, command.target_id
        case ConfigureLocation():
            return "location", command.location_id
        case _:
            assert_never(command)
