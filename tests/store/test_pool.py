"""Connections of processes that don't move any more."""

import asyncpg
import pytest

from service.store.pool import OUTAGE_ERRORS, make_pool

GIVEN_UP_SECONDS = 20.0


async def test_locks_of_a_frozen_process_are_given_up(database_url: str) -> None:
    """A transaction without a word for six seconds ends, whose rows somebody else needs; its process sees an outage."""
    direct = await asyncpg.connect(database_url)
    await direct.execute("INSERT INTO progress VALUES ('a', 0, 1)")
    async with make_pool(database_url) as pool, pool.acquire() as frozen:
        await frozen.execute("BEGIN")
        await frozen.execute("UPDATE progress SET next_offset = 2")
        await direct.execute("UPDATE progress SET next_offset = 3", timeout=GIVEN_UP_SECONDS)
        with pytest.raises(OUTAGE_ERRORS):
            await frozen.execute("COMMIT")
        assert await direct.fetchval("SELECT next_offset FROM progress") == 3
        with pytest.raises(OUTAGE_ERRORS):
            await frozen.execute("SELECT 1")
    await direct.close()


async def test_a_transaction_that_speaks_is_left_alone(database_url: str) -> None:
    """Five seconds of thought between two statements are no reason to end a transaction."""
    async with make_pool(database_url) as pool, pool.acquire() as slow, pool.acquire() as other:
        await slow.execute("BEGIN")
        await other.execute("SELECT pg_sleep(5)")
        await slow.execute("SELECT 1")
        await slow.execute("COMMIT")
