from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from service.embedded import EmbeddedPostgres
from service.settings import Settings
from tests.doctor.harness import Admin, Connection
from tests.support.postgres import Databases


@pytest.fixture(scope="session")
def sound_server() -> Iterator[str]:
    """Address of a PostgreSQL server with its own safe settings, that may be changed."""
    with EmbeddedPostgres(settings={"max_connections": "30"}) as server:
        yield server.url


@pytest.fixture(scope="session")
def sound_databases(sound_server: str) -> Iterator[Databases]:
    """Maker of databases on that server."""
    made = Databases(sound_server)
    yield made
    made.close()


@pytest.fixture
def sound_url(sound_databases: Databases) -> Iterator[str]:
    """Address of a fresh, migrated database on that server."""
    with sound_databases.migrated() as url:
        yield url


@pytest.fixture
async def connection(sound_url: str) -> AsyncIterator[Connection]:
    """A connection to that database, to break it with."""
    made = await asyncpg.connect(sound_url)
    yield made
    await made.close()


@pytest.fixture
async def admin(sound_server: str) -> AsyncIterator[Admin]:
    """Changes settings of that server, and takes them back."""
    made = await asyncpg.connect(sound_server)
    admin = Admin(made)
    yield admin
    await admin.reset()
    await made.close()


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """Maker of sound settings."""

    def make(database_url: str = "postgresql://x@127.0.0.1:1/x", **more: Any) -> Settings:
        sound = {"signing": "off", "replication": 1, "partitions": 2, "kafka_bootstrap": "127.0.0.1:1"}
        return Settings(database_url=SecretStr(database_url), **{**sound, **more})

    return make
