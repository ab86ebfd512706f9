"""A guard that no noise of a machine disturbs: how many functions a command calls, and how many objects it leaves."""

import gc
import sys
from types import FrameType

from tests.benchmarks.test_statements import bookings

COMMANDS = 500
# Of Python and of C, for each command of a batch: from the polled record to the row of its event. Raise it only for
# what a command is worth waiting for.
MOST_CALLS = 300
FEWEST_CALLS = 150


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
