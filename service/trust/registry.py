"""The clients as operators keep them. Every change takes a new revision, by which running processes find it."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.signing import SECRET_PREFIX
from service.client import SCOPES
from service.store.pool import Connection
from service.trust.clients import purpose
from service.trust.sealing import Sealer

KNOWN_SCOPES: Final = tuple(sorted(SCOPES.values()))
SECRET_BYTES: Final = 32
ID_BYTES: Final = 12
MOST_SECRETS: Final = 5
# As long as a message that was signed with it may lie in a topic, and some more.
KEPT_AFTER_EXPIRY: Final = timedelta(days=14)

REVISE: Final = "UPDATE client_revision SET revision = revision + 1 RETURNING revision"
ADD: Final = """
INSERT INTO client (account_id, client_id, name, scopes, burst_per_minute, daily_quota, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
SET_ACTIVE: Final = "UPDATE client SET active = $2, revision = $3 WHERE client_id = $1"
SET_LIMITS: Final = "UPDATE client SET burst_per_minute = $2, daily_quota = $3, revision = $4 WHERE client_id = $1"
TOUCH: Final = "UPDATE client SET revision = $2 WHERE client_id = $1 RETURNING account_id"
LIST: Final = """
SELECT c.client_id, c.account_id, c.name, c.scopes, c.active, c.burst_per_minute, c.daily_quota, c.created_at,
       array_agg(s.expires_at ORDER BY s.secret_id) FILTER (WHERE s.secret_id IS NOT NULL) AS expiries
FROM client c LEFT JOIN client_secret s
    ON s.account_id = c.account_id AND s.client_id = c.client_id AND (s.expires_at IS NULL OR s.expires_at > now())
WHERE ($1::text IS NULL OR c.account_id = $1) AND ($2::text IS NULL OR c.client_id = $2)
GROUP BY c.account_id, c.client_id ORDER BY c.account_id, c.created_at, c.client_id
"""
FORGET: Final = (
    "DELETE FROM client_secret WHERE account_id = $1 AND client_id = $2 AND expires_at < now() - $3::interval"
)
EXPIRE: Final = """
UPDATE client_secret SET expires_at = now() + $3::interval
WHERE account_id = $1 AND client_id = $2 AND (expires_at IS NULL OR expires_at > now() + $3::interval)
"""
LIVE: Final = """
SELECT count(*) FILTER (WHERE expires_at > now()), coalesce(max(secret_id), 0)
FROM client_secret WHERE account_id = $1 AND client_id = $2
"""
ADD_SEALED: Final = "INSERT INTO client_secret (account_id, client_id, secret_id, sealed) VALUES ($1, $2, $3, $4)"


class NoSuchClient(LookupError):
    """Nobody has this id."""


class TooManySecrets(Exception):
    """So many secrets of a client are still in use that another one would only be a burden on each message."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many commands in a minute and in a day; None is no limit."""

    burst_per_minute: int | None = None
    daily_quota: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What may be told of a client; `expiries` are of the secrets in use, None for one that stays."""

    client_id: str
    account_id: str
    name: str
    scopes: tuple[str, ...]
    active: bool
    limits: Limits
    created_at: datetime
    expiries: tuple[datetime | None, ...]


async def add_client(
    connection: Connection, sealer: Sealer, *, account_id: str, name: str, scopes: Sequence[str], limits: Limits
) -> tuple[str, str]:
    """Adds a client; gives its id and its secret, which is told once."""
    client_id = f"c-{secrets.token_hex(ID_BYTES)}"
    async with connection.transaction():
        revision = await connection.fetchval(REVISE)
        await connection.execute(
            ADD, account_id, client_id, name, sorted(set(scopes)), limits.burst_per_minute, limits.daily_quota, revision
        )
        return client_id, await _add_secret(connection, sealer, account_id, client_id, 1)


async def list_clients(
    connection: Connection, *, account_id: str | None = None, client_id: str | None = None
) -> list[Entry]:
    """Lists clients, of one account or with one id where these are given."""
    return [_entry(row) for row in await connection.fetch(LIST, account_id, client_id)]


async def set_active(connection: Connection, client_id: str, *, active: bool) -> None:
    """Switches a client on or off; raises NoSuchClient."""
    async with connection.transaction():
        revision = await connection.fetchval(REVISE)
        _found(await connection.execute(SET_ACTIVE, client_id, active, revision), client_id)


async def set_limits(connection: Connection, client_id: str, limits: Limits) -> None:
    """Sets both limits of a client; raises NoSuchClient."""
    async with connection.transaction():
        revision = await connection.fetchval(REVISE)
        found = await connection.execute(SET_LIMITS, client_id, limits.burst_per_minute, limits.daily_quota, revision)
        _found(found, client_id)


async def rotate(connection: Connection, sealer: Sealer, client_id: str, overlap: timedelta) -> str:
    """Adds a secret and gives it; those before it end after `overlap`. Raises NoSuchClient or TooManySecrets."""
    async with connection.transaction():
        account_id = await connection.fetchval(TOUCH, client_id, await connection.fetchval(REVISE))
        if account_id is None:
            raise NoSuchClient(client_id)
        await connection.execute(FORGET, account_id, client_id, KEPT_AFTER_EXPIRY)
        await connection.execute(EXPIRE, account_id, client_id, overlap)
        live, last = tuple(await connection.fetchrow(LIVE, account_id, client_id) or (0, 0))
        if live >= MOST_SECRETS:
            raise TooManySecrets(client_id)
        return await _add_secret(connection, sealer, account_id, client_id, last + 1)


async def _add_secret(connection: Connection, sealer: Sealer, account_id: str, client_id: str, number: int) -> str:
    secret = secrets.token_bytes(SECRET_BYTES)
    await connection.execute(ADD_SEALED, account_id, client_id, number, sealer.seal(secret, purpose(client_id)))
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def _found(status: str, client_id: str) -> None:
    if status == "UPDATE 0":
        raise NoSuchClient(client_id)


def _entry(row: Any) -> Entry:
    return Entry(
        row["client_id"],
        row["account_id"],
        row["name"],
        tuple(row["scopes"]),
        row["active"],
        Limits(row["burst_per_minute"], row["daily_quota"]),
        row["created_at"],
        tuple(row["expiries"] or ()),
    )
