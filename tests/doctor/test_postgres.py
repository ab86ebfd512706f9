"""Each check of the server and the database is broken on a real PostgreSQL, and then told with its remedy."""

import json
from contextlib import AsyncExitStack
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from service.clock.due import send_due
from service.doctor import database, postgres
from service.doctor.finding import Clock, Finding, Severity, now
from service.doctor.postgres import examine_postgres
from service.graphs.loader import load_graphs
from service.relay.window import Window
from service.resync.bookmark import Selection, begin
from service.resync.resync import Resync
from service.store.graph_revision import states_of
from service.trust.sealing import load_sealer, settle_sealing
from tests.doctor.harness import Admin, Connection, bad, only
from tests.handle.harness import Bench, graphs
from tests.support.postgres import Databases
from tests.support.records import act, create, record, visit

WARNING, PROBLEM = Severity.WARNING, Severity.PROBLEM


async def examined(url: str, clock: Clock = now) -> list[Finding]:
    """What the doctor finds there."""
    return await examine_postgres(url, load_graphs(None), clock)


def as_user(url: str, user: str, database_name: str | None = None) -> str:
    """The address for another user."""
    parts = urlsplit(url)
    path = parts.path if database_name is None else f"/{database_name}"
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.hostname}:{parts.port}", path=path))


async def test_all_is_well(sound_url: str) -> None:
    """A sound server with a migrated database: every check tells so."""
    findings = await examined(sound_url)
    assert bad(findings) == {}
    assert len(findings) >= 16


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("fsync", "off", PROBLEM),
        ("full_page_writes", "off", WARNING),
        ("synchronous_commit", "off", PROBLEM),
        ("autovacuum", "off", PROBLEM),
        ("track_counts", "off", PROBLEM),
        ("default_transaction_isolation", "serializable", PROBLEM),
    ],
)
async def test_a_setting_of_the_server(sound_url: str, admin: Admin, name: str, value: str, severity: Severity) -> None:
    """A setting that breaks a promise is told with the statement that mends it."""
    await admin.set(name, value)
    only(await examined(sound_url), f"postgres.{name}", severity, f"{name} is {value}", f"ALTER SYSTEM SET {name}")


async def test_a_database_that_can_not_be_written(sound_url: str, connection: Connection) -> None:
    """A standby, or a database that was closed for writing; all the rest is found well, so nothing is written."""
    name = urlsplit(sound_url).path[1:]
    await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    only(await examined(sound_url), "postgres.transaction_read_only", PROBLEM, "primary")


async def test_another_encoding(sound_server: str) -> None:
    """A database that keeps bytes of no encoding; it is not migrated either."""
    connection = await asyncpg.connect(sound_server)
    await connection.execute(
        "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    try:
        found = bad(await examined(as_user(sound_server, "postgres", "ascii")))
        assert set(found) == {"postgres.server_encoding", "database.schema"}
        assert "UTF8" in found["postgres.server_encoding"][1]
    finally:
        await connection.execute("DROP DATABASE ascii")
        await connection.close()


async def test_an_old_server(sound_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version before the oldest that will do."""
    monkeypatch.setattr(postgres, "OLDEST", 990_000)
    only(await examined(sound_url), "postgres.version", PROBLEM, "PostgreSQL 99 or newer")


async def test_few_connections_left(sound_url: str) -> None:
    """Others hold nearly all connections."""
    async with AsyncExitStack() as stack:
        for _ in range(18):
            stack.push_async_callback((await asyncpg.connect(sound_url)).close)
        only(await examined(sound_url), "postgres.max_connections", WARNING, "raise max_connections")


async def test_no_connection_left(sound_url: str, connection: Connection) -> None:
    """The user may not have any more."""
    await connection.execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    try:
        only(await examined(as_user(sound_url, "crowded")), "postgres", PROBLEM, "too many", "max_connections")
    finally:
        await connection.execute("DROP ROLE crowded")


@pytest.mark.parametrize("url", ["postgresql://x@127.0.0.1:1/x", "postgresql://x@no.such.host.invalid/x"])
async def test_nobody_answers(url: str) -> None:
    """A wrong address is one finding, and it names the setting."""
    only(await examined(url), "postgres", PROBLEM, "BOOKSTREAM_DATABASE_URL")


async def test_no_such_database(sound_server: str) -> None:
    """The server is there, the database is not."""
    only(await examined(as_user(sound_server, "postgres", "nothing")), "postgres", PROBLEM, '"nothing" does not exist')


@pytest.mark.parametrize(
    ("skew", "severity", "word"),
    [(3, WARNING, "behind"), (-3, WARNING, "ahead of"), (3600, PROBLEM, "behind"), (-3600, PROBLEM, "ahead of")],
)
async def test_clocks_that_differ(sound_url: str, skew: int, severity: Severity, word: str) -> None:
    """This machine's clock is wrong by so many seconds."""
    findings = await examined(sound_url, lambda: now() + timedelta(seconds=skew))
    only(findings, "postgres.clock", severity, word, "NTP")


async def test_a_database_that_is_not_migrated(sound_databases: Databases) -> None:
    """What is missing is named, and what needs it is left out."""
    with sound_databases.empty() as url:
        only(await examined(url), "database.schema", PROBLEM, "0001_initial.sql", "bookstream migrate")


async def test_a_migration_of_another_text(sound_url: str, connection: Connection) -> None:
    """The ledger knows another text of a file."""
    await connection.execute("UPDATE schema_migration SET checksum = 'x' WHERE name LIKE '0002%'")
    only(await examined(sound_url), "database.schema", PROBLEM, "0002_graph_revision.sql")


async def test_resources_that_can_be_held_twice(sound_url: str, connection: Connection) -> None:
    """The extension was dropped with all that rests on it."""
    await connection.execute("DROP EXTENSION btree_gist CASCADE")
    only(await examined(sound_url), "database.btree_gist", PROBLEM, "slot_held_once")


async def test_a_server_without_the_extension(sound_databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not offer it can't be migrated."""
    monkeypatch.setattr(database, "EXTENSION", database.EXTENSION.replace("btree_gist", "btree_gone"))
    with sound_databases.empty() as url:
        found = bad(await examined(url))
    assert set(found) == {"database.schema", "database.btree_gist"}
    assert "contrib" in found["database.btree_gist"][1]


async def test_a_table_that_is_left_out(sound_url: str, connection: Connection) -> None:
    """Somebody has switched autovacuum off for the outbox."""
    await connection.execute("ALTER TABLE outbox SET (autovacuum_enabled = false)")
    only(await examined(sound_url), "database.autovacuum", PROBLEM, "ALTER TABLE outbox RESET")


async def test_a_time_zone_that_is_not_known(sound_url: str, connection: Connection) -> None:
    """A location has a zone that this machine's tzdata lack."""
    state = json.dumps({"timezone": "Mars/Olympus"}).encode()
    row = ("acc-1", "location", "base", 1, state)
    await connection.execute("INSERT INTO aggregate VALUES ($1, $2, $3, $4, $5)", *row)
    only(await examined(sound_url), "timezones", PROBLEM, "Mars/Olympus", "acc-1/base", "tzdata")


async def test_graphs_that_lost_a_state(sound_url: str, connection: Connection) -> None:
    """A booking is in a state that its graph does not have here."""
    states = states_of(load_graphs(None))
    states["venue"].append("lounge")
    await connection.execute("INSERT INTO graph_revision (states) VALUES ($1)", json.dumps(states))
    state = json.dumps({"graph": "venue", "state": "lounge"}).encode()
    await connection.execute("INSERT INTO aggregate VALUES ('acc-1', 'booking', 'b-1', 1, $1)", state)
    only(await examined(sound_url), "database.graphs", PROBLEM, "lounge", "BOOKSTREAM_GRAPHS_DIR")


async def granted(connection: Connection, user: str) -> None:
    """Makes a user that may do what the doctor thinks is needed, and nothing else."""
    await connection.execute(f"CREATE ROLE {user} LOGIN")
    for table, privileges in database.NEEDED.items():
        await connection.execute(f"GRANT {', '.join(privileges)} ON {table} TO {user}")


async def dropped(connection: Connection, user: str) -> None:
    """Removes the user."""
    await connection.execute(f"DROP OWNED BY {user}")
    await connection.execute(f"DROP ROLE {user}")


@pytest.mark.parametrize(("table", "privilege"), [(t, p) for t, ps in database.NEEDED.items() for p in ps])
async def test_a_right_that_is_missing(sound_url: str, connection: Connection, table: str, privilege: str) -> None:
    """Each right that the user lacks is named with the statement that grants it."""
    await granted(connection, "clerk")
    try:
        await connection.execute(f"REVOKE {privilege} ON {table} FROM clerk")
        findings = await examined(as_user(sound_url, "clerk"))
        only(findings, "database.grants", PROBLEM, f'GRANT {privilege} ON {table} TO "clerk"')
    finally:
        await dropped(connection, "clerk")


async def test_these_rights_are_enough(sound_url: str, connection: Connection) -> None:
    """A user with just these rights is found well, and does everything that the service does."""
    await granted(connection, "clerk")
    url = as_user(sound_url, "clerk")
    try:
        assert bad(await examined(url)) == {}
        async with asyncpg.create_pool(url, min_size=0, max_size=4) as pool:
            bench = await Bench(pool, graphs()).begin(booking_allow_overbooking=False)
            past = {"starts_at": "2020-01-01T12:00:00Z", "ends_at": "2020-01-01T13:00:00Z", "resource_id": "t-1"}
            made = create("b-1", bulk_id="g-1", booking=past)
            await bench.apply(record("create-booking", made), record("create-booking", {**made, "booking_id": "b-2"}))
            await bench.apply(record("create-visit", visit(external_id="x-1", date="2030-01-01T12:00", duration=60)))
            await bench.apply(record("state-action", {"account_id": "acc-1", "visit_id": "v-1", "action": "complete"}))
            await _as_relay_clock_and_resync(url)
            await bench.apply(record("state-action", act("b-1", "cancel")))
            assert await bench.count("outbox") > 0
    finally:
        await dropped(connection, "clerk")


async def _as_relay_clock_and_resync(url: str) -> None:
    own = await asyncpg.connect(url)
    window = Window(own)
    await window.delete([row.seq for row in (await window.read()).rows])
    await send_due(own)
    await Resync(own, graphs(), await begin(own, Selection())).run()
    await own.close()


async def test_a_check_that_breaks_keeps_nothing_from_running(sound_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that fails is a finding; the other checks are run."""
    monkeypatch.setattr(postgres, "ROOM", "SELECT 1 / 0")
    findings = await examined(sound_url)
    only(findings, "postgres", PROBLEM, "division by zero")
    assert "database.grants" in {finding.check for finding in findings}


async def test_secrets_that_lie_open(sound_url: str, connection: Connection) -> None:
    """A sealing key in clear is told until a key of the environment wraps it."""
    await load_sealer(connection, ())
    only(await examined(sound_url), "database.secrets", WARNING, "can read the secrets", "BOOKSTREAM_ENCRYPTION_KEYS")
    await settle_sealing(connection, (bytes(32),))
    assert bad(await examined(sound_url)) == {}
