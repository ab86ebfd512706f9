"""The table of the keys: where the first one comes from, how another takes over, how one that leaked is revoked."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from service.store.pool import Connection

SECRET_BYTES: Final = 32
# Three times as long as processes go without looking for new keys.
NOTICE: Final = timedelta(seconds=15)
FIRST: Final = 1

LOAD: Final = "SELECT key_id, secret, begins_at FROM link_key WHERE revoked_at IS NULL ORDER BY key_id"
BEGIN: Final = "INSERT INTO link_key (key_id, secret, begins_at) VALUES (1, $1, now()) ON CONFLICT DO NOTHING"
LIST: Final = "SELECT key_id, begins_at, revoked_at FROM link_key ORDER BY key_id"
# The lock lets two rotations make two keys instead of one failing; readers do not wait for it.
LOCK: Final = "LOCK TABLE link_key IN SHARE ROW EXCLUSIVE MODE"
ADD: Final = """
INSERT INTO link_key (key_id, secret, begins_at)
SELECT coalesce(max(key_id), 0) + 1, $1, now() + $2 FROM link_key
RETURNING key_id, begins_at, revoked_at
"""
OTHERS: Final = """
SELECT count(*) FROM link_key WHERE key_id <> $1 AND revoked_at IS NULL AND begins_at <= now()
"""
REVOKE: Final = """
UPDATE link_key SET revoked_at = now(), secret = '' WHERE key_id = $1 AND revoked_at IS NULL
RETURNING key_id, begins_at, revoked_at
"""


@dataclass(frozen=True, slots=True)
class LinkKey:
    """A key that may be used."""

    key_id: int
    secret: bytes = field(repr=False)
    begins_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What may be told of a key."""

    key_id: int
    begins_at: datetime
    revoked_at: datetime | None


async def load_keys(pool: "asyncpg.Pool[Any]") -> list[LinkKey]:
    """Gives the keys that are not revoked; where there is none yet, one of many who ask makes it."""
    rows = await pool.fetch(LOAD)
    if not rows:
        await pool.execute(BEGIN, secrets.token_bytes(SECRET_BYTES))
        rows = await pool.fetch(LOAD)
    return [LinkKey(*row) for row in rows]


async def list_keys(connection: Connection) -> list[KeyRow]:
    """Gives every key there ever was, without its secret."""
    return [KeyRow(*row) for row in await connection.fetch(LIST)]


async def rotate(connection: Connection) -> KeyRow:
    """Adds a key that takes over shortly, when every process knows it; links of the old ones live on."""
    async with connection.transaction():
        await connection.execute(LOCK)
        row = await connection.fetchrow(ADD, secrets.token_bytes(SECRET_BYTES), NOTICE)
    assert row is not None  # noqa: S101 - an INSERT of one row returns one row
    return KeyRow(*row)


async def revoke(connection: Connection, key_id: int) -> KeyRow | None:
    """Ends a key and every link that it signed; None when there is no such key that another could stand in for."""
    async with connection.transaction():
        await connection.execute(LOCK)
        if not await connection.fetchval(OTHERS, key_id):
            return None
        row = await connection.fetchrow(REVOKE, key_id)
    return None if row is None else KeyRow(*row)
