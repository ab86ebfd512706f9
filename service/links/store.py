"""The table of the keys: where the first one comes from, how another takes over, how one that leaked is revoked."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from service.store.pool import Connection
from service.trust.sealing import Sealer

SECRET_BYTES: Final = 32
# Three times as long as processes go without looking for new keys.
NOTICE: Final = timedelta(seconds=15)
FIRST: Final = 1

LOAD: Final = "SELECT key_id, sealed, begins_at FROM link_key WHERE revoked_at IS NULL ORDER BY key_id"
BEGIN: Final = "INSERT INTO link_key (key_id, sealed, begins_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING"
LIST: Final = "SELECT key_id, begins_at, revoked_at FROM link_key ORDER BY key_id"
# The lock lets two rotations make two keys instead of one failing; readers do not wait for it.
LOCK: Final = "LOCK TABLE link_key IN SHARE ROW EXCLUSIVE MODE"
NEXT: Final = "SELECT coalesce(max(key_id), 0) + 1 FROM link_key"
ADD: Final = """
INSERT INTO link_key (key_id, sealed, begins_at) VALUES ($1, $2, now() + $3) RETURNING key_id, begins_at, revoked_at
"""
OTHERS: Final = """
SELECT count(*) FROM link_key WHERE key_id <> $1 AND revoked_at IS NULL AND begins_at <= now()
"""
REVOKE: Final = """
UPDATE link_key SET revoked_at = now(), sealed = '' WHERE key_id = $1 AND revoked_at IS NULL
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


async def load_keys(connection: Connection, sealer: Sealer) -> list[LinkKey]:
    """Gives the keys that are not revoked; where there is none yet, one of many who ask makes it."""
    rows = await connection.fetch(LOAD)
    if not rows:
        await connection.execute(BEGIN, FIRST, _new_secret(sealer, FIRST))
        rows = await connection.fetch(LOAD)
    return [LinkKey(key_id, sealer.open(sealed, _purpose(key_id)), begins_at) for key_id, sealed, begins_at in rows]


def _new_secret(sealer: Sealer, key_id: int) -> bytes:
    return sealer.seal(secrets.token_bytes(SECRET_BYTES), _purpose(key_id))


def _purpose(key_id: int) -> str:
    return f"link key {key_id}"


async def list_keys(connection: Connection) -> list[KeyRow]:
    """Gives every key there ever was, without its secret."""
    return [KeyRow(*row) for row in await connection.fetch(LIST)]


async def rotate(connection: Connection, sealer: Sealer) -> KeyRow:
    """Adds a key that takes over shortly, when every process knows it; links of the old ones live on."""
    async with connection.transaction():
        await connection.execute(LOCK)
        key_id: int = await connection.fetchval(NEXT)
        (row,) = await connection.fetch(ADD, key_id, _new_secret(sealer, key_id), NOTICE)
    return KeyRow(*row)


async def revoke(connection: Connection, key_id: int) -> KeyRow | None:
    """Ends a key and every link that it signed; None when there is no such key that another could stand in for."""
    async with connection.transaction():
        await connection.execute(LOCK)
        if not await connection.fetchval(OTHERS, key_id):
            return None
        row = await connection.fetchrow(REVOKE, key_id)
    return None if row is None else KeyRow(*row)
