"""Servers and databases for every test, and a plain account of the tests that this machine cannot run."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest

from service.embedded import EmbeddedBroker, EmbeddedPostgres
from tests.support import kafka as kafka_support
from tests.support import postgres as postgres_support
from tests.support.apart import run_apart
from tests.support.kafka_jars import JarKafka, fetch_jars
from tests.support.not_run import NotRun
from tests.support.postgres import Databases

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the Hypothesis profile and register the report of what was not run."""
    hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")
    config.pluginmanager.register(NotRun(config), "bookstream-not-run")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL server whose user may create databases."""
    found = postgres_support.find()
    if found.source is None:
        pytest.fail(found.explain())
    with found.source.start() as url:
        yield url


@pytest.fixture(scope="session")
def databases(postgres_server: str) -> Iterator[Databases]:
    """Maker of databases on the session's server."""
    made = Databases(postgres_server)
    yield made
    made.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """Address of a fresh, migrated database."""
    with databases.migrated() as url:
        yield url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """Connections to that database."""
    async with asyncpg.create_pool(database_url, min_size=0, max_size=6) as made:
        yield made


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """Address of a fresh database without any table."""
    with databases.empty() as url:
        yield url


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap address of a real Apache Kafka."""
    found = kafka_support.find()
    if found.source is None:
        pytest.fail(found.explain())
    with found.source.start() as bootstrap:
        yield bootstrap


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, to be killed."""
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture
def own_kafka() -> Iterator[JarKafka]:
    """A node of the test's own, to be killed."""
    fetch_jars()
    with JarKafka() as server:
        yield server


@pytest.fixture
def kafka_cluster() -> Iterator[JarKafka]:
    """Three nodes of Apache Kafka of the test's own, to be killed and paused."""
    fetch_jars()
    with JarKafka(nodes=3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """Bootstrap address of a real Apache Kafka where there is one, else of the embedded broker."""
    if kafka_support.find().source is not None:
        yield request.getfixturevalue("kafka")
        return
    with EmbeddedBroker() as embedded:
        yield embedded.bootstrap


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """Prefix of topic names that no other test uses; its topics are deleted afterwards."""
    prefix = f"t{os.urandom(4).hex()}."
    needed = [name for name in ("kafka", "broker") if name in request.fixturenames]
    bootstraps = {request.getfixturevalue(name) for name in needed}
    yield prefix
    for bootstrap in bootstraps:
        run_apart(lambda address=bootstrap: kafka_support.drop_topics(address, prefix))  # type: ignore[misc]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Directory that holds `service`, `schemas` and `tests`."""
    return Path(__file__).resolve().parent.parent
