"""How much memory the processes of a system have, shared pages counted once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from tests.benchmarks.systems import System

MIB = 1024 * 1024
LOOK_SECONDS = 0.5


@asynccontextmanager
async def looked_at(system: System) -> AsyncIterator[list[float]]:
    """Fill a list with what all processes together have, in MiB, twice a second."""
    seen: list[float] = []

    async def look() -> None:
        while True:
            if system.pids:
                seen.append(sum(map(_proportional, system.pids)) / MIB)
            await asyncio.sleep(LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _proportional(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.NoSuchProcess:
        return total
    return total
