"""The role that runs the service can do all that the service does, and can't change the schema."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from service.doctor.database import NEEDED
from tests.cli.command_line import finished
from tests.e2e.broker import Broker
from tests.e2e.process import environment
from tests.e2e.stage import create, open_location, staged, stop, update, versions

ROLE = 'run "it"'
CHANGES = (
    "CREATE TABLE mine (id int)",
    "ALTER TABLE aggregate ADD COLUMN mine int",
    "DROP TABLE inbox",
    "CREATE INDEX mine ON outbox (topic)",
    "TRUNCATE outbox",
    "DELETE FROM aggregate",
    "UPDATE inbox SET outcome = outcome",
    "UPDATE schema_migration SET checksum = ''",
    "INSERT INTO client (client_id) VALUES ('mine')",
    "CREATE EXTENSION hstore",
)


@pytest.fixture
async def run_url(empty_database_url: str) -> AsyncIterator[str]:
    """The address for a role of no rights, which is gone afterwards."""
    owner = await asyncpg.connect(empty_database_url)
    name = f"{ROLE} {urlsplit(empty_database_url).path[1:]}"
    quoted = '"' + name.replace('"', '""') + '"'
    await owner.execute(f"CREATE ROLE {quoted} LOGIN PASSWORD 'throw-away'")
    parts = urlsplit(empty_database_url)
    user = name.replace(" ", "%20").replace('"', "%22")
    yield parts._replace(netloc=f"{user}:throw-away@{parts.hostname}:{parts.port}").geturl()
    await owner.execute(f"DROP OWNED BY {quoted}")
    await owner.execute(f"DROP ROLE {quoted}")
    await owner.close()


async def _role(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        name: str = await connection.fetchval("SELECT current_user")
    finally:
        await connection.close()
    return name


@pytest.mark.kafka
@pytest.mark.timeout(150)
async def test_the_service_runs_by_a_role_that_owns_nothing(
    kafka: str, topic_prefix: str, empty_database_url: str, run_url: str, tmp_path: Path
) -> None:
    """`migrate --grant-to` as the owner; then everything else as the other role, which can't change a table."""
    broker = Broker(kafka, topic_prefix)
    role = await _role(run_url)
    code, out, said = await finished(environment(broker, empty_database_url), ["migrate", "--grant-to", role])
    assert code == 0, out + said
    async with staged(kafka, topic_prefix, run_url, tmp_path) as stage:
        with stage.service() as service:
            await service.ready()
            await open_location(stage)
            past = {"starts_at": "2020-01-01T12:00:00Z", "ends_at": "2020-01-01T13:00:00Z"}
            stage.sent += 1  # the timer's command
            await stage.send([create("b-1"), update("b-1", "u-1", notes="x"), create("b-past", **past)])
            await stage.settle()
            code, out, said = await finished(environment(broker, run_url), ["resync", "--json"])
            assert code == 0, out + said
            for arguments in (["show", "b-1", "--json"], ["migrate", "--check"]):
                code, out, said = await finished(environment(broker, run_url), arguments)
                assert code == 0, out + said
            code, out, _ = await finished(environment(broker, run_url), ["doctor", "--json"])
            assert '"check": "database.grants", "severity": "ok"' in out
            assert await stop(service) == 0, service.tail()
        assert versions(await stage.events()) == {"b-1": [1, 2, 2], "b-past": [1, 2, 2]}
        assert "permission denied" not in service.log.read_text()
        for statement in CHANGES:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await stage.connection.execute(statement)


async def test_no_right_is_given_beside_those_that_are_needed(empty_database_url: str, run_url: str) -> None:
    """Table by table; where the doctor finds one missing, it names the grant."""
    broker = Broker("127.0.0.1:1", "")
    role = await _role(run_url)
    assert (await finished(environment(broker, empty_database_url), ["migrate"]))[0] == 0
    code, out, _ = await finished(environment(broker, run_url), ["doctor"])
    assert code == 1
    assert "GRANT" in out
    for _ in range(2):
        code, _, said = await finished(environment(broker, empty_database_url), ["migrate", "--grant-to", role])
        assert code == 0, said
    owner = await asyncpg.connect(empty_database_url)
    try:
        rows = await owner.fetch(
            "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = $1", role
        )
    finally:
        await owner.close()
    found: dict[str, set[str]] = {}
    for table, right in rows:
        found.setdefault(table, set()).add(right)
    found["outbox"].discard("MAINTAIN")
    assert found == {table: set(rights) for table, rights in NEEDED.items()}


async def test_a_role_that_is_not_there(empty_database_url: str) -> None:
    """It is told by name; the migration itself is through."""
    settings = environment(Broker("127.0.0.1:1", ""), empty_database_url)
    code, _, said = await finished(settings, ["migrate", "--grant-to", "nobody-there"])
    assert code == 1
    assert 'role "nobody-there" does not exist' in said
    assert (await finished(settings, ["migrate", "--check"]))[0] == 0
    assert (await finished(settings, ["migrate", "--check", "--grant-to", "x"]))[0] == 2
