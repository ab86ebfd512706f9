import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.app import ROLES, build_app
from service.settings import Settings
from service.topics import Topics, wanted
from tests.cli.command_line import Ended, Run, start
from tests.support import kafka as kafka_support
from tests.support.wait import until


@pytest.fixture
def run(project_root: Path) -> Run:
    """Run `bookstream` with arguments and standard input, as a process of its own."""

    async def run(*arguments: str, stdin: str = "") -> Ended:
        process = await start(project_root, arguments)
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 50)
        return Ended(process.returncode or 0, out.decode().splitlines(), err.decode())

    return run


@pytest.fixture
async def topics(broker: str, topic_prefix: str) -> Sequence[str]:
    """Make the service's topics and return the options that name them."""
    async with Topics({"bootstrap_servers": broker}) as admin:
        await admin.create_missing(wanted(prefix=topic_prefix, partitions=2, replication=1))
    return ("--bootstrap", broker, "--prefix", topic_prefix)


@pytest.fixture
async def service(
    broker: str, topic_prefix: str, topics: Sequence[str], database_url: str
) -> AsyncIterator[Sequence[str]]:
    """Run the service and return the options that name its topics."""
    settings = Settings(
        database_url=SecretStr(database_url),
        kafka_bootstrap=broker,
        topic_prefix=topic_prefix,
        group_id=f"{topic_prefix}bookstream",
        signing="off",
        http_address="127.0.0.1:0",
        kafka_idempotence=kafka_support.find().source is not None,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    app, parts = build_app(settings, frozenset(ROLES))
    async with app.lifespan_context(), app:
        await until(lambda: not parts.not_ready(), 30)
        yield topics
