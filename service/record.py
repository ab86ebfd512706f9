"""A record as it lies in a partition of Kafka, in the service's own terms."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple, Self

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS = 253_402_300_799_999
# Whose time a record's timestamp is, in Kafka's numbers: the broker's (0 is its sender's).
LOG_APPEND_TIME = 1


class Replay(NamedTuple):
    """What a dead letter that was sent again says of itself: it was written so often, and who was verified at first.

    `client` is the client whose signature was verified when the record first came, None where none was. Only an
    operator's command writes the topic that it comes from, so it can be believed where a sender's header can't.
    """

    attempts: int
    client: str | None


class UnreadableBatch(bytes):
    """A batch as it lies in the log whose records can't be read, in place of the value of a record.

    It stands for the offsets from `first` to `last`; `why` is meant for people. No sender can make one: it is no bytes
    of theirs, but a type of ours.
    """

    first: int
    last: int
    why: str

    @classmethod
    def of(cls, batch: bytes, first: int, last: int, why: str) -> Self:
        """Makes one."""
        made = cls(batch)
        made.first, made.last, made.why = first, last, why
        return made


class Record(NamedTuple):
    """One consumed record.

    `topic` is the logical name (without the prefix), `timestamp` the broker's append time in milliseconds since 1970.
    A header name that is not UTF-8 carries its bytes as surrogate escapes (PEP 383): `name.encode("utf-8",
    "surrogateescape")` gives them back, and a plain `encode()` fails. For a batch that can't be read stands one record
    with the last of its offsets, whose value is an `UnreadableBatch`. A record that was sent again out of the dead
    letters is decoded as it was at first, place and append time included; `replay` tells it apart.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int
    replay: Replay | None = None
    timestamp_type: int = LOG_APPEND_TIME


# Topic and partition of a record.
PLACE: Final = attrgetter("topic", "partition")


@dataclass(frozen=True, slots=True)
class Span:
    """What a batch does to one partition's progress: it moves from `expected` to `next`."""

    topic: str
    partition: int
    expected: int
    next: int


@lru_cache(maxsize=1024)
def append_time(milliseconds: int) -> datetime:
    """Gives the time at which the broker appended a record; one outside the calendar is the nearest within it."""
    return EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), LATEST_MS))
