"""A guard that no noise of a machine disturbs: how many functions a command calls, and how much memory it takes."""

import gc
import sys
import tracemalloc
from types import FrameType

from tests.benchmarks.test_statements import bookings

COMMANDS = 500
# Of Python and of C, for each command of a batch: from the polled record to the row of its event. Raise it only for
# what a command is worth waiting for.
MOST_CALLS = 300
FEWEST_CALLS = 150
# While its batch is under way, in bytes.
MOST_MEMORY = 16_000
LEAST_MEMORY = 6_000


async def test_calls_per_command(database_url: str) -> None:
    """A command takes no more function calls than it did, and leaves nothing behind when its batch is over."""
    async with bookings(database_url, 500) as (batches, workload):
        commands = list(workload.updates(COMMANDS))
        calls = 0

        def count(_frame: FrameType, event: str, _what: object) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}

        gc.collect()
        before = len(gc.get_objects())
        sys.setprofile(count)
        try:
            await batches.apply("booking-commands", commands)
        finally:
            sys.setprofile(None)
        gc.collect()
        assert FEWEST_CALLS < calls / COMMANDS < MOST_CALLS
        assert len(gc.get_objects()) - before < COMMANDS, "the batch is over, and its objects are still there"


async def test_memory_per_command(database_url: str) -> None:
    """A batch keeps no more for each command than it did: many batches fit where memory is short."""
    async with bookings(database_url, 500) as (batches, workload):
        commands = list(workload.updates(COMMANDS))
        gc.collect()
        tracemalloc.start(1)
        try:
            await batches.apply("booking-commands", commands)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert LEAST_MEMORY < most / COMMANDS < MOST_MEMORY
