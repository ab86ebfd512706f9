"""Looks every second whether consumption is paused, and holds or lets go of the partitions of this process.

Each batch is told by its own transaction, so that a pause takes effect at once; what is learnt here is when to go on,
and what to say to the probes meanwhile. While PostgreSQL does not answer, what was known last holds: nothing can be
applied then anyway.
"""

import asyncio
import logging
from typing import Any, Final

import asyncpg

from service.consume.assignment import Assignment
from service.consume.health import ConsumerHealth
from service.store.pause import last_pause

log = logging.getLogger(__name__)

EVERY: Final = 1.0
WITHIN: Final = 3.0
UNAVAILABLE: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class PauseWatch:
    """Follows the one row that all processes obey."""

    def __init__(self, pool: "asyncpg.Pool[Any]", assignment: Assignment, health: ConsumerHealth) -> None:
        self._pool = pool
        self._assignment = assignment
        self._health = health
        self._last: int | None = None

    async def run(self) -> None:
        """Look for ever; to be cancelled."""
        while True:
            try:
                async with asyncio.timeout(WITHIN):
                    await self.look()
            except UNAVAILABLE as error:
                log.debug("whether consumption is paused is not known now: %r", error)
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look once; after a pause that was too short to be seen, positions are read anew too, as they may be set."""
        async with self._pool.acquire() as connection:
            pause_id, pause = await last_pause(connection)
        before, self._last = self._last, pause_id
        if pause is not None:
            if self._health.paused != str(pause):
                log.warning("%s", pause)
                self._assignment.hold(str(pause))
        elif self._health.paused is not None or before not in (None, pause_id):
            log.warning("consumption goes on after a pause")
            self._assignment.hold("consumption was paused")
            self._assignment.proceed()
