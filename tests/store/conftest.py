from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection to a migrated database."""
    made = await asyncpg.connect(database_url)
    yield made
    await made.close()
