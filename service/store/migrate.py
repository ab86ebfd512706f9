"""Brings the database to this version: SQL files in the order of their names, each once, under one advisory lock.

The previous version goes on working meanwhile. A statement that would have to wait for a lock gives up soon and is
tried again, since all that comes behind it in the queue of the lock would wait with it. What takes long, as an index
does, stands in a file of its own that is run outside of a transaction, statement by statement.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import asyncpg

from service.backoff import Backoff
from service.errors import SchemaMismatch

log = logging.getLogger(__name__)

# Any constant will do, as long as every version of the service takes the same one.
MIGRATION_LOCK: Final = 0x626F6F6B_73747265
CONNECT_TIMEOUT: Final = 5.0
OUTSIDE: Final = "-- Outside of a transaction"
LOCK_TIMEOUT: Final = "2s"
LONGEST_WAIT: Final = 600.0
TRY_AGAIN_SECONDS: Final = 0.2
RECORD: Final = "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)"
LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file; its checksum tells when a file that was applied has been edited since."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def outside(self) -> bool:
        """Whether it is run outside of a transaction; then it can be run again from its start."""
        return self.sql.startswith(OUTSIDE)

    @property
    def statements(self) -> tuple[str, ...]:
        """Its statements; none of them has a semicolon at the end of a line within."""
        return tuple(filter(None, (part.strip() for part in self.sql.split(";\n"))))


def shipped() -> tuple[Migration, ...]:
    """Lists the migrations of this version, in order."""
    folder = resources.files("service.store") / "migrations"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(Migration(f.name, f.read_text(encoding="utf-8")) for f in files)


async def pending(connection: "asyncpg.Connection[Any]") -> tuple[Migration, ...]:
    """Lists what is not applied yet; raises SchemaMismatch when an applied file differs.

    Files of a later version may be applied: in a rolling upgrade the old version runs on for a while.
    """
    applied: dict[str, str] = {}
    if await connection.fetchval("SELECT to_regclass('schema_migration')") is not None:
        rows = await connection.fetch("SELECT name, checksum FROM schema_migration")
        applied = {row["name"]: row["checksum"] for row in rows}
    return outstanding(applied, shipped())


def outstanding(applied: dict[str, str], known: Sequence[Migration]) -> tuple[Migration, ...]:
    """Compares what was applied with what this version knows."""
    edited = [m.name for m in known if applied.get(m.name, m.checksum) != m.checksum]
    if edited:
        raise SchemaMismatch(f"the database was migrated with another {', '.join(edited)}; it must never be edited")
    return tuple(m for m in known if m.name not in applied)


async def migrate(database_url: str) -> tuple[str, ...]:
    """Applies what is missing and gives the names; several may run it at once. Raises asyncpg errors."""
    connection = await asyncpg.connect(database_url, server_settings={"lock_timeout": LOCK_TIMEOUT})
    try:
        # Waiting for it in a statement would hold a snapshot, for which an index that is made by another would wait.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", MIGRATION_LOCK):  # noqa: ASYNC110
            await asyncio.sleep(TRY_AGAIN_SECONDS)
        await connection.execute(LEDGER)
        names = []
        for migration in await pending(connection):
            await _apply_patiently(connection, migration)
            names.append(migration.name)
        return tuple(names)
    finally:
        await connection.close()


async def _apply_patiently(connection: "asyncpg.Connection[Any]", migration: Migration) -> None:
    backoff, given_up = Backoff(), time.monotonic() + LONGEST_WAIT
    while True:
        try:
            await _apply(connection, migration)
        except asyncpg.LockNotAvailableError as error:
            if time.monotonic() >= given_up:
                raise
            log.warning("%s waits for others: %s", migration.name, error)
            await asyncio.sleep(backoff.next())
        else:
            return


async def _apply(connection: "asyncpg.Connection[Any]", migration: Migration) -> None:
    if not migration.outside:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(RECORD, migration.name, migration.checksum)
        return
    # These wait for others, but keep nobody waiting.
    await connection.execute("SET lock_timeout = 0")
    for statement in migration.statements:
        await connection.execute(statement)
    await connection.execute(RECORD, migration.name, migration.checksum)
    await connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


async def check(database_url: str) -> tuple[str, ...]:
    """Names the migrations that are missing, and changes nothing."""
    connection = await asyncpg.connect(database_url, timeout=CONNECT_TIMEOUT)
    try:
        return tuple(migration.name for migration in await pending(connection))
    finally:
        await connection.close()
