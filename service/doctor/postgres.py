"""The server behind BOOKSTREAM_DATABASE_URL: reachable, new enough, durable, in time; then what is in the database."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from service.doctor.database import examine_database
from service.doctor.finding import Clock, Finding, Severity, ok, problem, warning
from service.doctor.transport import postgres_transport
from service.domain.graph import Graph
from service.errors import ServiceError

OLDEST: Final = 140_000  # idle_session_timeout, which frees the lock of a relay that was cut off
CONNECTIONS_OF_A_PROCESS: Final = 6
SKEW_WARNING: Final = timedelta(seconds=1)
SKEW_PROBLEM: Final = timedelta(seconds=30)
TIMEOUT: Final = 5.0

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Check = Callable[[Connection], Awaitable[list[Finding]]]


class Wanted(NamedTuple):
    """A setting of the server, the values that keep our promises, and what another one does."""

    name: str
    values: frozenset[str]
    severity: Severity
    otherwise: str


SETTINGS: Final = (
    Wanted("fsync", frozenset({"on"}), Severity.PROBLEM, "a crash of the machine destroys the database"),
    Wanted("full_page_writes", frozenset({"on"}), Severity.WARNING, "a crash of the machine can tear pages"),
    Wanted(
        "synchronous_commit",
        frozenset({"on", "remote_apply", "remote_write", "local"}),
        Severity.PROBLEM,
        "a crash loses changes whose events are published already",
    ),
    Wanted("autovacuum", frozenset({"on"}), Severity.PROBLEM, "the outbox grows and slows down without end"),
    Wanted("track_counts", frozenset({"on"}), Severity.PROBLEM, "autovacuum does not see what to clean"),
    Wanted(
        "default_transaction_isolation",
        frozenset({"read committed"}),
        Severity.PROBLEM,
        "lost races end as errors instead of being decided anew",
    ),
    Wanted("transaction_read_only", frozenset({"off"}), Severity.PROBLEM, "nothing can be written: is it a standby?"),
    Wanted("server_encoding", frozenset({"UTF8"}), Severity.PROBLEM, "names of guests can't be kept"),
)
READ_SETTINGS: Final = "SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])"
REMEDIES: Final = {
    "transaction_read_only": "let BOOKSTREAM_DATABASE_URL lead to the primary (target_session_attrs=primary)",
    "server_encoding": "make the database anew with ENCODING 'UTF8'",
}
ROOM: Final = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int + 1
"""


async def examine_postgres(url: str, graphs: Mapping[str, Graph] | None, clock: Clock) -> list[Finding]:
    """Examines the server, then the database on it."""
    try:
        connection = await asyncpg.connect(
            url, timeout=TIMEOUT, command_timeout=60.0, server_settings={"application_name": "bookstream doctor"}
        )
    except asyncpg.TooManyConnectionsError as error:
        return [problem("postgres", str(error), "raise max_connections, or end processes that hold connections")]
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        remedy = "look at BOOKSTREAM_DATABASE_URL, whether the server runs, and at pg_hba.conf"
        return [problem("postgres", f"PostgreSQL does not let us in: {str(error) or type(error).__name__}", remedy)]
    findings: list[Finding] = []
    try:
        findings.append(await postgres_transport(connection, url))
        for check in (_version, _settings, _connections, lambda one: _skew(one, clock)):
            findings += await guarded("postgres", check, connection)
        findings += await guarded("database", lambda one: examine_database(one, url, graphs), connection)
    finally:
        await connection.close(timeout=TIMEOUT)
    return findings


async def guarded(name: str, check: Check, connection: Connection) -> list[Finding]:
    """Runs a check; one that breaks is a finding itself."""
    try:
        return await check(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ServiceError) as error:
        return [problem(name, f"this could not be looked at: {error}", "correct what it names and look again")]


async def _version(connection: Connection) -> list[Finding]:
    number, name = int(await connection.fetchval("SHOW server_version_num")), connection.get_server_version()
    told = f"PostgreSQL {name.major}.{name.minor}"
    if number < OLDEST:
        return [problem("postgres.version", f"{told} is too old", f"PostgreSQL {OLDEST // 10_000} or newer")]
    return [ok("postgres.version", told)]


async def _settings(connection: Connection) -> list[Finding]:
    rows = await connection.fetch(READ_SETTINGS, [wanted.name for wanted in SETTINGS])
    found = {row["name"]: row["setting"] for row in rows}
    findings = []
    for name, values, severity, otherwise in SETTINGS:
        value, check = found[name], f"postgres.{name}"
        if value in values:
            findings.append(ok(check, f"{name} is {value}"))
        else:
            right = "on" if "on" in values else min(values)
            remedy = REMEDIES.get(name, f"ALTER SYSTEM SET {name} = '{right}'; SELECT pg_reload_conf();")
            findings.append(Finding(check, severity, f"{name} is {value}: {otherwise}", remedy))
    return findings


async def _connections(connection: Connection) -> list[Finding]:
    room: int = await connection.fetchval(ROOM)
    told = f"room for {room} connections; a process of the service takes up to {CONNECTIONS_OF_A_PROCESS}"
    if room < 2 * CONNECTIONS_OF_A_PROCESS:
        remedy = "raise max_connections: while an update rolls, old and new processes run beside each other"
        return [warning("postgres.max_connections", told, remedy)]
    return [ok("postgres.max_connections", told)]


async def _skew(connection: Connection, clock: Clock) -> list[Finding]:
    before = clock()
    theirs = await connection.fetchval("SELECT clock_timestamp()")
    after = clock()
    return [skew_finding("postgres.clock", "PostgreSQL", theirs - (before + (after - before) / 2))]


def skew_finding(check: str, server: str, ahead: timedelta) -> Finding:
    """Judges how far a server's clock is ahead of this machine's."""
    seconds = abs(ahead.total_seconds())
    side = "ahead of" if ahead > timedelta() else "behind"
    if seconds < SKEW_WARNING.total_seconds():
        return ok(check, f"the clocks of {server} and this machine agree within {seconds:.2f} s")
    make = problem if abs(ahead) >= SKEW_PROBLEM else warning
    remedy = "set both clocks by NTP: expiry, timers and signatures are judged by different clocks"
    return make(check, f"{server}'s clock is {seconds:.1f} s {side} this machine's", remedy)
