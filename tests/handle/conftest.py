import pytest

from tests.handle.harness import Bench, Pool, graphs


@pytest.fixture
async def bench(pool: Pool) -> Bench:
    """Batches over an account that has the location `oslo` alone."""
    return await Bench(pool, graphs()).begin()
