"""Gives the room of published rows back while memory still holds it.

Autovacuum comes once a minute. By then a busy outbox has grown over the server's buffers, and every read of it has
become one from disk.
"""

import asyncio
import logging
import time
from typing import Final

import asyncpg

from service.store.lease import LOST

log = logging.getLogger(__name__)

# Where the session may not vacuum the table, or another vacuum is at it, the statement does nothing.
VACUUM: Final = "VACUUM (SKIP_LOCKED, TRUNCATE false) outbox"
ROWS: Final = 20_000
_PAUSE: Final = 1.0
# Of the time: an old transaction that keeps all dead rows from going makes it take long, and for nothing. Less of it
# than this, and a backlog writes rows faster than their room comes back.
_SHARE: Final = 0.3
_TIMEOUT: Final = 600.0


class Sweeper:
    """Vacuums the outbox after so many deletions, on a connection of its own beside the relay's work."""

    def __init__(self, database_url: str) -> None:
        self.swept = 0
        self._database_url = database_url
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._task: asyncio.Task[None] | None = None
        self._deleted = 0
        self._not_before = 0.0

    def note(self, deleted: int) -> None:
        """Count deleted rows, and begin to sweep when it is time."""
        self._deleted += deleted
        running = self._task is not None and not self._task.done()
        if self._deleted >= ROWS and not running and time.monotonic() >= self._not_before:
            self._deleted = 0
            self._task = asyncio.create_task(self._sweep(), name="sweep")

    async def stop(self) -> None:
        """Sweep no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _sweep(self) -> None:
        begun = time.monotonic()
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(
                    self._database_url, timeout=5.0, server_settings={"application_name": "bookstream sweep"}
                )
            await self._connection.execute(VACUUM, timeout=_TIMEOUT)
            self.swept += 1
        except LOST as error:
            log.info("the outbox was not vacuumed, autovacuum will: %r", error)
        finally:
            now = time.monotonic()
            self._not_before = now + max(_PAUSE, (now - begun) / _SHARE)
