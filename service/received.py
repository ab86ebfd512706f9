"""A command as it was received: the record, its CloudEvents envelope, and what its data say.

Named tuples: as immutable as frozen dataclasses, and made in a third of the time, once or more for each record.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from service.client import Client
from service.domain.commands import Command, Context
from service.domain.model import Fault, Kind, Refused
from service.record import Record

OWN_SOURCE = "/bookstream"
NO_ACCOUNT = ""
# No id has this character, so that an account with it in its name is nobody's.
NOBODYS = "!"


class Envelope(NamedTuple):
    """The CloudEvents attributes of a command; `faults` are those that are wrong but leave it a command.

    `traceparent` is one that W3C calls valid, or none.
    """

    id: str
    source: str
    type: str
    correlation_id: str | None = None
    reply_to: str | None = None
    expires_at: datetime | None = None
    traceparent: str | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether the sender names itself as the service."""
        return self.source.startswith(OWN_SOURCE)

    @property
    def correlation(self) -> str:
        """The correlation id of everything that follows from the command."""
        return self.id if self.correlation_id is None else self.correlation_id


class Question(NamedTuple):
    """What a sound command asks, and how."""

    command: Command
    context: Context
    validate_only: bool
    reason: str | None


class Received(NamedTuple):
    """A record that is a command: either a question to decide, or refused by what it says.

    `command_key` (16 bytes) stands for channel, source and id within the account, `content_hash` (16 bytes) for type
    and JSON value however written. `client` is who signed it.
    """

    record: Record
    envelope: Envelope
    account_id: str
    kind: Kind
    aggregate_id: str
    command_key: bytes
    content_hash: bytes
    body: Question | Refused
    client: Client | None = None

    @property
    def shown_account(self) -> str | None:
        """The account as answers name it."""
        return self.account_id.rpartition(NOBODYS)[2] or None

    @property
    def memory_key(self) -> tuple[str, bytes]:
        """Names the memory of the command."""
        return self.account_id, self.command_key


def nobodys(account_id: str, other_account_id: str) -> str:
    """Names the account that nobody has which this account meets in place of another one."""
    return f"{account_id}{NOBODYS}{other_account_id}"


Undecodable = Literal[
    "unreadable_batch",
    "value_too_large",
    "header_not_utf8",
    "missing_attribute",
    "unknown_type",
    "invalid_json",
    "not_an_object",
    "no_aggregate_id",
    "not_replayable",
    "internal_error",
]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is no command, or that broke us; it is kept with its bytes untouched.

    `client` is whose signature was verified before that, None where none was; of a record that was sent again the one
    of its first coming stands.
    """

    record: Record
    reason: Undecodable
    detail: str
    client: str | None = None
