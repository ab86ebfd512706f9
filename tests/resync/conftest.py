from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.handle.harness import Bench, Pool, graphs


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to the test's database."""
    async with asyncpg.create_pool(database_url, min_size=0, max_size=6) as made:
        yield made


@pytest.fixture
async def bench(pool: Pool) -> Bench:
    """Batches over an account that has the location `oslo` alone."""
    return await Bench(pool, graphs()).begin()
