import asyncio

import asyncpg
import pytest

from service.errors import SchemaMismatch
from service.store import migrate as migrations
from service.store.migrate import Migration, check, migrate, outstanding, shipped
from tests.support.wait import until

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"


async def test_an_empty_database(empty_database_url: str) -> None:
    """All migrations apply in order on an empty database; `check` names them before and nothing after."""
    names = tuple(each.name for each in shipped())
    assert names == tuple(sorted(names))
    assert await check(empty_database_url) == names
    assert await migrate(empty_database_url) == names
    assert await check(empty_database_url) == ()


async def test_twice(empty_database_url: str) -> None:
    """The second time there is nothing to do."""
    await migrate(empty_database_url)
    assert await migrate(empty_database_url) == ()


async def test_several_at_once(empty_database_url: str) -> None:
    """Of several at once one does each migration."""
    done = await asyncio.gather(*(migrate(empty_database_url) for _ in range(5)))
    assert sorted(name for names in done for name in names) == [each.name for each in shipped()]


async def test_checking_changes_nothing(empty_database_url: str) -> None:
    """`check` makes no table, the ledger neither."""
    await check(empty_database_url)
    connection = await asyncpg.connect(empty_database_url)
    assert await connection.fetch(TABLES) == []
    await connection.close()


async def test_an_edited_file(database_url: str) -> None:
    """A database that was migrated with another text of a file is refused, by `check` and `migrate` alike."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE schema_migration SET checksum = 'other' WHERE name = $1", shipped()[0].name)
    await connection.close()
    for run in (check, migrate):
        with pytest.raises(SchemaMismatch, match=shipped()[0].name):
            await run(database_url)


async def test_one_that_fails(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails leaves nothing of itself, keeps those before it, and lets the lock go."""
    broken = Migration("9999_broken.sql", "CREATE TABLE half (n int); SELECT 1 / 0;")
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "shipped", lambda: (*shipped(), broken))
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(empty_database_url)
    assert await check(empty_database_url) == ()
    connection = await asyncpg.connect(empty_database_url)
    assert "half" not in [row[0] for row in await connection.fetch(TABLES)]
    await until(lambda: connection.fetchval("SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'"))
    await connection.close()


def test_what_is_outstanding() -> None:
    """What was applied is done; what was applied by a later version does not matter here."""
    first, second = Migration("1.sql", "a"), Migration("2.sql", "b")
    assert outstanding({}, [first, second]) == (first, second)
    assert outstanding({"1.sql": first.checksum, "3.sql": "x"}, [first, second]) == (second,)


async def test_a_migration_keeps_nobody_waiting(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that must wait for a long transaction lets others pass, again and again, and is applied at its end."""
    altering = Migration("9999_alter.sql", "ALTER TABLE timer ADD COLUMN more integer")
    monkeypatch.setattr(migrations, "shipped", lambda: (*shipped(), altering))
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "200ms")
    reader, passing = [await asyncpg.connect(database_url) for _ in range(2)]
    async with reader.transaction():
        await reader.execute("SELECT count(*) FROM timer")
        migrating = asyncio.create_task(migrate(database_url))
        waiting = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
        for _ in range(3):
            await until(lambda: passing.fetchval(waiting))
            await passing.execute("SELECT count(*) FROM timer", timeout=10)
        assert not migrating.done()
    assert await migrating == ("9999_alter.sql",)
    await asyncio.gather(reader.close(), passing.close())


async def test_an_index_is_made_while_others_write(database_url: str) -> None:
    """A migration outside of a transaction waits for writers, keeps none waiting, and begins anew after it was cut."""
    name = "0006_inbox_age.sql"
    writer, other = [await asyncpg.connect(database_url) for _ in range(2)]
    await other.execute("DELETE FROM schema_migration WHERE name = $1", name)
    write = "INSERT INTO inbox (account_id, command_key, content_hash, outcome) VALUES ('a', $1, 'x', 'x')"
    async with writer.transaction():
        await writer.execute(write, b"1")
        for _ in range(2):
            migrating = asyncio.create_task(migrate(database_url))
            await until(lambda: other.fetchval("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"))
            await other.execute(write, str(id(migrating)).encode(), timeout=10)
            if not await other.fetchval("SELECT count(*) FROM inbox WHERE command_key = 'again'"):
                await other.execute(write, b"again")
                migrating.cancel()
                await asyncio.gather(migrating, return_exceptions=True)
    assert await migrating == (name,)
    assert await other.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'inbox_decided_at'::regclass")
    await asyncio.gather(writer.close(), other.close())
