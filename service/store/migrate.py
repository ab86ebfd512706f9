"""Brings the database to this version: SQL files in the order of their names, each once, under one advisory lock."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import asyncpg

from service.errors import SchemaMismatch

# Any constant will do, as long as every version of the service takes the same one.
MIGRATION_LOCK: Final = 0x626F6F6B_73747265
CONNECT_TIMEOUT: Final = 5.0
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
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await connection.execute(LEDGER)
        names = []
        for migration in await pending(connection):
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
                )
            names.append(migration.name)
        return tuple(names)
    finally:
        await connection.close()


async def check(database_url: str) -> tuple[str, ...]:
    """Names the migrations that are missing, and changes nothing."""
    connection = await asyncpg.connect(database_url, timeout=CONNECT_TIMEOUT)
    try:
        return tuple(migration.name for migration in await pending(connection))
    finally:
        await connection.close()
