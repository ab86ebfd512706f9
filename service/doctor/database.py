"""What is in the database: schema level, extension, graphs in use, time zones in use, what the user may do."""

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from service.doctor.finding import Finding, ok, problem, warning
from service.domain.graph import Graph
from service.errors import SchemaMismatch
from service.store.graph_revision import settle_graphs
from service.store.migrate import check as missing_migrations
from service.store.pause import current_pause
from service.trust.sealing import IN_CLEAR

_ALL: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "progress": ("SELECT", "INSERT", "UPDATE"),
    "inbox": ("SELECT", "INSERT", "DELETE"),
    "aggregate": ("SELECT", "INSERT", "UPDATE"),
    "booking_group": ("SELECT", "INSERT", "UPDATE"),
    "group_member": ("SELECT", "INSERT"),
    "external_id": ("SELECT", "INSERT", "DELETE"),
    "active_visit": ("SELECT", "INSERT", "DELETE"),
    "slot": ("SELECT", "INSERT", "DELETE"),
    "timer": _ALL,
    "outbox": ("SELECT", "INSERT", "DELETE"),
    "link_key": ("SELECT", "INSERT"),
    "pause": ("SELECT", "INSERT", "UPDATE"),
    "epoch": ("SELECT", "INSERT"),
    "resync": _ALL,
    "client": ("SELECT",),
    "client_secret": ("SELECT",),
    "client_revision": ("SELECT",),
    "client_usage": _ALL,
    "sealing_key": ("SELECT", "INSERT"),
    "schema_migration": ("SELECT",),
    "graph_revision": ("SELECT",),
}
EXTENSION: Final = """
SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'btree_gist'),
       EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'btree_gist')
"""
HELD_ONCE: Final = "SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'slot_held_once')"
LACKED: Final = """
SELECT name, privilege FROM unnest($1::text[], $2::text[]) AS needed (name, privilege)
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(name, privilege)
"""
# A table can be left out of autovacuum whatever the server's setting is.
UNSWEPT: Final = """
SELECT relname FROM pg_class
WHERE oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
  AND 'autovacuum_enabled=false' = ANY(reloptions)
"""
ZONES: Final = """
SELECT convert_from(state, 'UTF8')::jsonb ->> 'timezone' AS zone, min(account_id || '/' || aggregate_id)
FROM aggregate WHERE kind = 'location' GROUP BY 1
"""


async def examine_database(connection: Any, url: str, graphs: Mapping[str, Graph] | None) -> list[Finding]:
    """Examines the database; what needs the schema is left out where that is missing."""
    granted = await _grants(connection)
    if any(finding.remedy for finding in granted):
        return granted
    findings, migrated = await _schema(url)
    findings += await _extension(connection, migrated=migrated)
    if migrated:
        findings += granted + await _paused(connection) + await _secrets(connection)
        findings += await _vacuum(connection) + await _zones(connection)
        findings += await _graphs(url, graphs)
    return findings


async def _schema(url: str) -> tuple[list[Finding], bool]:
    try:
        missing = await missing_migrations(url)
    except SchemaMismatch as error:
        return [problem("database.schema", str(error), "run the version that migrated it, or restore a backup")], False
    if missing:
        return [problem("database.schema", f"the database lacks {', '.join(missing)}", "bookstream migrate")], False
    return [ok("database.schema", "the schema is at this version")], True


async def _extension(connection: Any, *, migrated: bool) -> list[Finding]:
    available, installed = await connection.fetchrow(EXTENSION)
    check = "database.btree_gist"
    if not available and not installed:
        remedy = "install the contrib modules on the server (Debian: postgresql-contrib is part of postgresql)"
        return [problem(check, "the server does not offer the extension btree_gist", remedy)]
    if not migrated:
        return [ok(check, "the server offers btree_gist; `bookstream migrate` switches it on")]
    if not (installed and await connection.fetchval(HELD_ONCE)):
        remedy = "restore the database from a backup, or add extension and constraint as in 0001_initial.sql"
        return [problem(check, "nothing keeps a resource from being held twice: slot_held_once is gone", remedy)]
    return [ok(check, "btree_gist keeps a resource from being held twice")]


async def _grants(connection: Any) -> list[Finding]:
    needed = [(table, privilege) for table, privileges in NEEDED.items() for privilege in privileges]
    lacked = await connection.fetch(LACKED, *zip(*needed, strict=True))
    user = await connection.fetchval("SELECT current_user")
    if not lacked:
        return [ok("database.grants", f"user {user} may do all that the service does")]
    tables: dict[str, list[str]] = {}
    for name, privilege in lacked:
        tables.setdefault(name, []).append(privilege)
    grants = [f'GRANT {", ".join(sorted(given))} ON {name} TO "{user}";' for name, given in sorted(tables.items())]
    return [problem("database.grants", f"user {user} lacks rights on {', '.join(sorted(tables))}", " ".join(grants))]


async def _paused(connection: Any) -> list[Finding]:
    pause = await current_pause(connection)
    if pause is not None:
        return [warning("consumption", str(pause), "bookstream resume, once its reason is gone")]
    return [ok("consumption", "consumption is not paused")]


async def _secrets(connection: Any) -> list[Finding]:
    if await connection.fetchval(IN_CLEAR):
        remedy = "BOOKSTREAM_ENCRYPTION_KEYS, the same for every process; then `bookstream migrate`"
        return [warning("database.secrets", "who can read the database can read the secrets of clients", remedy)]
    return [ok("database.secrets", "secrets in the database are sealed by a key that is not in it, or there are none")]


async def _vacuum(connection: Any) -> list[Finding]:
    unswept = [row[0] for row in await connection.fetch(UNSWEPT, list(NEEDED))]
    if not unswept:
        return [ok("database.autovacuum", "no table is left out of autovacuum")]
    remedy = " ".join(f"ALTER TABLE {name} RESET (autovacuum_enabled);" for name in unswept)
    return [problem("database.autovacuum", f"autovacuum leaves out {', '.join(unswept)}", remedy)]


async def _zones(connection: Any) -> list[Finding]:
    """Time zones are read on this machine, by the rules of its tzdata."""
    unknown = [(zone, location) for zone, location in await connection.fetch(ZONES) if not _known(zone)]
    if not unknown:
        return [ok("timezones", "the time zones of all locations are known here")]
    named = ", ".join(f"{zone} (of {location})" for zone, location in unknown)
    return [problem("timezones", f"time zones are not known here: {named}", "pip install --upgrade tzdata")]


def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


async def _graphs(url: str, graphs: Mapping[str, Graph] | None) -> list[Finding]:
    if graphs is None:
        return []
    try:
        await settle_graphs(url, graphs, record=False)
    except SchemaMismatch as error:
        remedy = "set BOOKSTREAM_GRAPHS_DIR to the graphs of the service, with those states in them"
        return [problem("database.graphs", str(error), remedy)]
    return [ok("database.graphs", "the graphs have every state that is in use")]
