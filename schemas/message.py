"""Commands to records and records to events, for upstreams and downstreams of the service."""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from schemas import headers as names
from schemas.commands import COMMANDS, Command, ConfigureLocation, CreateVisit, ErasePerson, StateAction, UpdateVisit
from schemas.events import (
    BookingChanged,
    BookingSnapshotMessage,
    Event,
    StandingMessage,
    VisitChanged,
    VisitSnapshotMessage,
)
from schemas.types import canonical_instant

Headers = Iterable[tuple[str, bytes | None]]

EVENTS: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {
        names.BOOKING_CHANGED: BookingChanged,
        names.VISIT_CHANGED: VisitChanged,
        names.BOOKING_SNAPSHOT: BookingSnapshotMessage,
        names.VISIT_SNAPSHOT: VisitSnapshotMessage,
    }
)
_TYPES: Final = MappingProxyType({model: name for name, model in COMMANDS.items()})


@dataclass(frozen=True, slots=True)
class Message:
    """A record to send: partition it as Kafka's Java client does, by the murmur2 hash of the key."""

    topic: str
    key: bytes
    headers: list[tuple[str, bytes]]
    value: bytes


def command(
    data: Command,
    *,
    id: str,  # noqa: A002
    source: str,
    correlation_id: str | None = None,
    reply_to: str | None = None,
    expires_at: datetime | str | None = None,
    traceparent: str | None = None,
    internal: bool = False,
) -> Message:
    """Makes the record of a command, of the members that were set alone.

    `id` and `source` are the idempotency key: a repeat is answered with the first outcome. `internal` sends on the
    internal channel, where `configure-location` and `erase-person` always go. The sender puts a prefix before `topic`.
    """
    if isinstance(expires_at, datetime):
        expires_at = expires_at.isoformat()
    optional = {
        names.CE_CORRELATIONID: correlation_id,
        names.CE_REPLYTO: reply_to,
        names.CE_EXPIRYTIME: None if expires_at is None else canonical_instant(expires_at),
        names.TRACEPARENT: traceparent,
    }
    headers = {
        names.CE_SPECVERSION: names.SPECVERSION,
        names.CE_ID: id,
        names.CE_SOURCE: source,
        names.CE_TYPE: _TYPES[type(data)],
        names.CONTENT_TYPE: names.JSON,
        **{name: value for name, value in optional.items() if value is not None},
    }
    return Message(
        topic=names.INTERNAL_COMMANDS if internal else _topic(data),
        key=aggregate_id(data).encode(),
        headers=[(name, value.encode()) for name, value in headers.items()],
        value=data.model_dump_json(exclude_unset=True).encode(),
    )


def aggregate_id(data: Command) -> str:
    """Returns the id that is the record's key."""
    for member in ("booking_id", "visit_id"):
        value = getattr(data, member, None)
        if value is not None:
            return str(value)
    return str(getattr(data, "location_id"))  # noqa: B009


def _topic(data: Command) -> str:
    if isinstance(data, ConfigureLocation | ErasePerson):
        return names.INTERNAL_COMMANDS
    of_visit = isinstance(data, CreateVisit | UpdateVisit)
    if of_visit or (isinstance(data, StateAction) and data.visit_id is not None):
        return names.VISIT_COMMANDS
    return names.BOOKING_COMMANDS


def header(headers: Headers, name: str) -> str | None:
    """Returns a header's text, whatever the case of its name; None when it is not there."""
    for found, value in headers:
        if found.lower() == name and value is not None:
            return value.decode()
    return None


def event(headers: Headers, value: bytes) -> Event:
    """Reads a change event or a snapshot: both hold the whole state.

    Raises LookupError for a message of another type, which a consumer skips, and pydantic's ValidationError.
    """
    kind = header(headers, names.CE_TYPE)
    if kind is None or kind not in EVENTS:
        raise LookupError(f"no change event and no snapshot: {kind}")
    return EVENTS[kind].model_validate_json(value)


@dataclass(slots=True)
class SequenceFilter:
    """Drops repeats: a change is new when its `ce_sequence` is greater than the last one done for its aggregate.

    A snapshot bears the sequence of the latest change, and is new unless a greater one was done: whoever missed that
    change, or lost what it derived from it, has it again. `seen` may be a consumer's own mapping, kept together with
    what it derives from the events.
    """

    seen: MutableMapping[tuple[str, str, str], str] = field(default_factory=dict)

    def is_new(self, headers: Headers, change: Event) -> bool:
        """Tells whether the event or snapshot is to be handled."""
        sequence, last = _sequence(headers), self.seen.get(_identity(change), "")
        return sequence >= last if isinstance(change, StandingMessage) else sequence > last

    def done(self, headers: Headers, change: Event) -> None:
        """Remembers the event or snapshot as handled."""
        identity = _identity(change)
        self.seen[identity] = max(_sequence(headers), self.seen.get(identity, ""))


def _identity(found: Event) -> tuple[str, str, str]:
    if isinstance(found, BookingChanged | BookingSnapshotMessage):
        return found.account_id, "booking", found.booking_id
    return found.account_id, "visit", found.visit_id


def _sequence(headers: Headers) -> str:
    sequence = header(headers, names.CE_SEQUENCE)
    if sequence is None:
        raise LookupError(f"no header {names.CE_SEQUENCE}")
    return sequence
