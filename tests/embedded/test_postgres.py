"""The embedded PostgreSQL."""

import importlib.util
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from service.embedded import EmbeddedPostgres, EmbeddedServerError
from service.embedded import postgres as launcher
from tests.embedded.orphan import orphaned
from tests.support.wait import until


@pytest.fixture
async def embedded() -> AsyncIterator[EmbeddedPostgres]:
    """Yield a server of the test's own."""
    async with EmbeddedPostgres(settings={"fsync": "off"}) as server:
        yield server


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Yield a directory that every user may enter, unlike pytest's own temporary ones."""
    directory = Path(tempfile.mkdtemp(prefix="bookstream-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _answers(url: str) -> bool:
    try:
        return await _value(url, "SELECT 1") == 1
    except (OSError, asyncpg.PostgresError):
        return False


async def test_it_serves_utf8_with_the_collation_of_bytes(embedded: EmbeddedPostgres) -> None:
    """Text is UTF-8 and sorts the same on every machine."""
    assert await _value(embedded.url, "SHOW server_encoding") == "UTF8"
    assert await _value(embedded.url, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C"


async def test_it_has_what_the_slots_need(embedded: EmbeddedPostgres) -> None:
    """The extension btree_gist can be created."""
    await _value(embedded.url, "CREATE EXTENSION btree_gist")
    assert await _value(embedded.url, "SELECT count(*) FROM pg_extension WHERE extname = 'btree_gist'") == 1


async def test_settings_are_taken() -> None:
    """Configuration parameters reach the server."""
    async with EmbeddedPostgres(settings={"max_connections": "17"}) as server:
        assert await _value(server.url, "SHOW max_connections") == "17"


@pytest.mark.parametrize("end", [EmbeddedPostgres.stop, EmbeddedPostgres.kill])
async def test_committed_data_survive_a_stop_and_a_crash(
    embedded: EmbeddedPostgres, end: Callable[[EmbeddedPostgres], None]
) -> None:
    """The same address serves the same data after either."""
    url = embedded.url
    await _value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    end(embedded)
    assert not await _answers(url)
    embedded.start()
    assert embedded.url == url
    assert await _value(url, "SELECT answer FROM kept") == 42


async def test_a_crash_ends_running_queries(embedded: EmbeddedPostgres) -> None:
    """No backend outlives the postmaster, busy ones included."""
    connection = await asyncpg.connect(embedded.url)
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    embedded.kill()
    assert not launcher._any_runs([backend])
    connection.terminate()


async def test_a_given_directory_is_kept(open_directory: Path) -> None:
    """Another server on the same directory finds the data."""
    data = open_directory / "data"
    async with EmbeddedPostgres(data) as server:
        await _value(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    async with EmbeddedPostgres(data) as server:
        assert await _value(server.url, "SELECT answer FROM kept") == 42


async def test_a_deep_directory_is_no_problem(open_directory: Path) -> None:
    """The data may lie deeper than the path of a Unix socket may be long."""
    async with EmbeddedPostgres(open_directory / ("d" * 60) / ("e" * 60)) as server:
        assert await _answers(server.url)


async def test_binaries_out_of_reach_are_copied(open_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs as another user also starts from an installation only its owner can enter."""
    package = launcher._binaries().parents[1]
    closed = open_directory / "closed"
    for directory in package.parent.glob(f"{package.name}*"):
        shutil.copytree(directory, closed / directory.name, symlinks=True)
    closed.chmod(0o700)
    monkeypatch.setattr(launcher, "_binaries", lambda: closed / package.name / "pginstall" / "bin")
    async with EmbeddedPostgres() as server:
        assert await _answers(server.url)


def test_close_removes_the_temporary_directory() -> None:
    """Nothing stays behind on the disk."""
    with EmbeddedPostgres() as server:
        home = server._home
        assert home is not None
        assert home.exists()
    assert not home.exists()
    with pytest.raises(EmbeddedServerError, match="not been started"):
        assert server.url


def test_a_server_that_cannot_start_says_why() -> None:
    """The server's own words are in the error."""
    with (
        pytest.raises(EmbeddedServerError, match="no_such_setting"),
        EmbeddedPostgres(settings={"no_such_setting": "1"}),
    ):
        pass


async def test_it_ends_with_its_parent(open_directory: Path) -> None:
    """A process that is killed leaves no server behind."""
    url = await orphaned("EmbeddedPostgres", "url", open_directory)

    await until(lambda: not list(open_directory.rglob("postmaster.pid")))
    assert not await _answers(url)


def test_a_missing_wheel_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'bookstream\[demo\]'"):
        EmbeddedPostgres().start()
