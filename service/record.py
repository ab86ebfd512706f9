"""A record as it lies in a partition of Kafka, in the service's own terms."""

from dataclasses import dataclass
from typing import NamedTuple


class Record(NamedTuple):
    """One consumed record.

    `topic` is the logical name (without the prefix), `timestamp` the broker's append time in milliseconds since 1970.
    A header name that is not UTF-8 carries its bytes as surrogate escapes (PEP 383): `name.encode("utf-8",
    "surrogateescape")` gives them back, and a plain `encode()` fails.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int


@dataclass(frozen=True, slots=True)
class Span:
    """What a batch does to one partition's progress: it moves from `expected` to `next`."""

    topic: str
    partition: int
    expected: int
    next: int
