from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.store.pool import Connection


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection to a migrated database."""
    made = await asyncpg.connect(database_url)
    yield made
    await made.close()
