"""The wire contract of bookstream: commands in, events and results out; pydantic is all it needs."""

from schemas.commands import (
    COMMANDS,
    IMMUTABLE,
    Command,
    ConfigureLocation,
    CreateBooking,
    CreateVisit,
    ErasePerson,
    StateAction,
    UpdateBooking,
    UpdateVisit,
)
from schemas.errors import problems
from schemas.events import (
    BookingChanged,
    BookingSnapshot,
    BookingSnapshotMessage,
    Event,
    VisitChanged,
    VisitSnapshot,
    VisitSnapshotMessage,
)
from schemas.message import Message, SequenceFilter, command, event
from schemas.results import CommandAccepted, CommandRefused
from schemas.signing import sign

__all__ = [
    "COMMANDS",
    "IMMUTABLE",
    "BookingChanged",
    "BookingSnapshot",
    "BookingSnapshotMessage",
    "Command",
    "CommandAccepted",
    "CommandRefused",
    "ConfigureLocation",
    "CreateBooking",
    "CreateVisit",
    "ErasePerson",
    "Event",
    "Message",
    "SequenceFilter",
    "StateAction",
    "UpdateBooking",
    "UpdateVisit",
    "VisitChanged",
    "VisitSnapshot",
    "VisitSnapshotMessage",
    "command",
    "event",
    "problems",
    "sign",
]
