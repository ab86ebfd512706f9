"""A client as messages are judged by it: an integrator's key, whose it is, and what it may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# What lets a client write aggregates of a kind.
SCOPES: Final[Mapping[str, str]] = {"booking": "bookings:write", "visit": "visits:write"}


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that signs, until it expires (milliseconds since 1970), if it does."""

    key: bytes = field(repr=False)
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """One client; it acts for one account, and no limit is None."""

    account_id: str
    client_id: str
    scopes: frozenset[str]
    active: bool
    secrets: tuple[Secret, ...]
    burst_per_minute: int | None = None
    daily_quota: int | None = None
