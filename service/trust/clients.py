"""The clients that this process has met, each read when its first message comes and forgotten when it is changed.

A batch costs no statement for clients that are known; all that are new in it are read by one. What changed is looked
for every two seconds, before a batch, so that nobody is judged by what was true longer ago. Names that nobody bears are
kept apart, so that who makes them up drives out none of those that are real.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from service.client import Client, Secret
from service.trust.sealing import SealBroken, Sealer, load_sealer

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 2.0
MOST_KNOWN: Final = 10_000
# The left side is one row, so that a revision comes back when nothing has changed, too; at first it is all that does.
CHANGED: Final = """
SELECT latest.revision, client.client_id FROM client_revision AS latest LEFT JOIN client ON client.revision > $1
"""
READ: Final = """
SELECT c.client_id, c.account_id, c.scopes, c.active, c.burst_per_minute, c.daily_quota,
       s.secret_id, s.sealed, s.expires_at
FROM unnest($1::text[]) AS asked (client_id)
JOIN client c USING (client_id)
LEFT JOIN client_secret s ON s.account_id = c.account_id AND s.client_id = c.client_id
ORDER BY c.client_id, s.secret_id
"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class NotKnownYet(LookupError):
    """Whether there is such a client has to be asked of the database first: `Clients.learn`."""


class Clients:
    """Finds clients by their ids; for one event loop."""

    def __init__(
        self,
        environment_keys: Sequence[bytes] = (),
        *,
        most: int = MOST_KNOWN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`most` are kept of those that exist, and as many names that don't; `clock` counts seconds."""
        self._environment_keys = environment_keys
        self._most = most
        self._clock = clock
        self._sealer: Sealer | None = None
        self._known: dict[str, Client] = {}
        self._missing: dict[str, None] = {}
        self._revision: int | None = None
        self._looked_at: float | None = None
        self._asked: dict[str, None] = {}

    def find(self, client_id: str) -> Client | None:
        """Gives a client, or None where there is no such client; raises NotKnownYet."""
        known = self._known.get(client_id)
        if known is None and client_id not in self._missing:
            self._asked[client_id] = None
            raise NotKnownYet(client_id)
        return known

    async def refresh(self, pool: "asyncpg.Pool[Any]") -> None:
        """Forgets who was changed, where that was not looked for lately; raises what the database raises."""
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < REFRESH_SECONDS:
            return
        async with pool.acquire() as connection:
            if self._sealer is None:
                self._sealer = await load_sealer(connection, self._environment_keys)
            rows = await connection.fetch(CHANGED, self._revision)
        revision = rows[0][0]
        if self._revision is not None and revision < self._revision:
            # The database is an older one: nothing that was read before can be relied on.
            self._known.clear()
            self._missing.clear()
        for _, client_id in rows:
            self._known.pop(client_id, None)
            self._missing.pop(client_id, None)
        self._revision, self._looked_at = revision, now

    async def learn(self, pool: "asyncpg.Pool[Any]") -> None:
        """Reads all that were asked for and not known, by one statement; raises what the database raises."""
        asked = list(self._asked)
        if self._sealer is None:
            raise LookupError("refresh comes first")
        rows = await pool.fetch(READ, asked)
        found: dict[str, Client] = {}
        for row in rows:
            before = found.get(row["client_id"])
            secrets = () if before is None else before.secrets
            found[row["client_id"]] = self._client(row, (*secrets, *self._secret(self._sealer, row)))
        for client_id in asked:
            client = found.get(client_id)
            if client is None:
                _put(self._missing, client_id, None, self._most)
            else:
                _put(self._known, client_id, client, self._most)
        self._asked.clear()

    @staticmethod
    def _client(row: Any, secrets: tuple[Secret, ...]) -> Client:
        return Client(
            row["account_id"],
            row["client_id"],
            frozenset(row["scopes"]),
            row["active"],
            secrets,
            row["burst_per_minute"],
            row["daily_quota"],
        )

    @staticmethod
    def _secret(sealer: Sealer, row: Any) -> tuple[Secret, ...]:
        if row["sealed"] is None:
            return ()
        try:
            key = sealer.open(row["sealed"], purpose(row["client_id"]))
        except SealBroken:
            log.exception("secret %d of client %s can't be opened; rotate it", row["secret_id"], row["client_id"])
            return ()
        expires_at = row["expires_at"]
        return (Secret(key, None if expires_at is None else (expires_at - _EPOCH) // _MILLISECOND),)


def purpose(client_id: str) -> str:
    """Says whose a sealed secret is."""
    return f"client/{client_id}"


def _put(cache: dict[str, Any], key: str, value: Any, most: int) -> None:
    """Makes room by forgetting whoever was met first."""
    if len(cache) >= most:
        del cache[next(iter(cache))]
    cache[key] = value
