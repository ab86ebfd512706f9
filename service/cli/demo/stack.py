"""PostgreSQL, a broker and the service, all of it in and below this process."""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import asyncpg
from pydantic import SecretStr

from service.app import ROLES, build_app
from service.cli.connect import Target
from service.embedded import EmbeddedBroker, EmbeddedPostgres, EmbeddedServerError
from service.kafka_security import KafkaSecurity
from service.settings import load_settings
from service.store.migrate import migrate
from service.topics import Topics, wanted

PARTITIONS: Final = 4
START_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02
# The data live no longer than the demo, so nothing is gained by writing them through to the disk.
POSTGRES: Final = MappingProxyType({"max_connections": "40", "fsync": "off", "full_page_writes": "off"})
LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs, and where."""

    target: Target
    database_url: str

    async def published(self) -> bool:
        """Tells whether the relay has published everything that the service wrote."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return not await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)")
        finally:
            await connection.close()


@asynccontextmanager
async def servers() -> AsyncIterator[Stack]:
    """Starts both servers, side by side, and makes the database's tables and the topics."""
    async with AsyncExitStack() as opened:
        postgres, broker = EmbeddedPostgres(settings=POSTGRES), EmbeddedBroker()
        opened.push_async_callback(asyncio.to_thread, postgres.close)
        opened.push_async_callback(asyncio.to_thread, broker.close)
        await asyncio.gather(asyncio.to_thread(postgres.start), asyncio.to_thread(broker.start))
        stack = Stack(Target(broker.bootstrap, ""), postgres.url)
        await asyncio.gather(migrate(stack.database_url), _make_topics(stack.target))
        yield stack


@asynccontextmanager
async def service(stack: Stack) -> AsyncIterator[None]:
    """Runs the service in this process, as `bookstream run` does, and drains it at the end."""
    # Whatever the environment says of a real cluster, the embedded broker is reached in the clear.
    plain = {name: field.default for name, field in KafkaSecurity.model_fields.items()}
    settings = load_settings(
        database_url=SecretStr(stack.database_url),
        kafka_bootstrap=stack.target.bootstrap,
        topic_prefix=stack.target.prefix,
        partitions=PARTITIONS,
        replication=1,
        signing="off",
        http_address="127.0.0.1:0",
        kafka_idempotence=False,
        **plain,
    )
    app, parts = build_app(settings, frozenset(ROLES))
    async with app.lifespan_context(), app:
        if not await wait_until(lambda: not parts.not_ready(), START_SECONDS):
            raise EmbeddedServerError(f"the service did not start: {'; '.join(parts.not_ready())}")
        yield


async def wait_until(condition: Callable[[], bool | Awaitable[bool]], seconds: float) -> bool:
    """Polls a condition, plain or async, until it holds, at most so long; tells whether it did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


@asynccontextmanager
async def log_file() -> AsyncIterator[Path]:
    """Keeps the service's log off the screen, in a file that stays where something fails."""
    with tempfile.NamedTemporaryFile("w", prefix="bookstream-demo-", suffix=".log", delete=False) as file:
        path = Path(file.name)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield path
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


async def _make_topics(target: Target) -> None:
    async with Topics({"bootstrap_servers": target.bootstrap}) as topics:
        await topics.create_missing(wanted(prefix=target.prefix, partitions=PARTITIONS, replication=1))
