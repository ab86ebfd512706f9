from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.kafka.harness import HANDLED, Pool


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to the test's database, with a table of handled records."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=6) as made:
        await made.execute(HANDLED)
        yield made
