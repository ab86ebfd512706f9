"""Pauses of consumption: one row says that all processes stop, who wanted it, why and since when.

Every batch looks at it in the statement that moves its progress, so that none begins while one is on.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from service.domain.instants import instant_text
from service.store.pool import Connection

LAST: Final = "SELECT pause_id, ended_at IS NULL, reason, began_by, began_at FROM pause ORDER BY pause_id DESC LIMIT 1"
BEGIN: Final = "INSERT INTO pause (reason, began_by) VALUES ($1, $2) ON CONFLICT DO NOTHING"
END: Final = """
UPDATE pause SET ended_at = now(), ended_by = $1 WHERE ended_at IS NULL RETURNING reason, began_by, began_at
"""
# Every batch changes progress in its first statement: who has this lock has seen all of them end.
WAIT: Final = "LOCK TABLE progress IN SHARE ROW EXCLUSIVE MODE"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that is on, or was."""

    reason: str
    by: str
    since: datetime

    def __str__(self) -> str:
        since = instant_text(self.since.replace(microsecond=0))
        return f"consumption is paused since {since} by {self.by}: {self.reason}; `bookstream resume` goes on"


async def last_pause(connection: Connection) -> tuple[int, Pause | None]:
    """Gives the number of the last pause, and the pause itself while it is on."""
    row = await connection.fetchrow(LAST)
    if row is None:
        return 0, None
    pause_id, is_on, *facts = row
    return pause_id, Pause(*facts) if is_on else None


async def current_pause(connection: Connection) -> Pause | None:
    """Gives the pause that is on."""
    return (await last_pause(connection))[1]


async def begin_pause(connection: Connection, reason: str, by: str) -> bool:
    """Begins a pause; False when one is on already, which stands as it is."""
    return await connection.execute(BEGIN, reason, by) == "INSERT 0 1"


async def end_pause(connection: Connection, by: str) -> Pause | None:
    """Ends the pause that is on, and gives it."""
    row = await connection.fetchrow(END, by)
    return None if row is None else Pause(*row)


async def batches_ended(connection: Connection, seconds: float) -> bool:
    """Waits for the batches that had begun before; False when one still runs after so many seconds."""
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {int(seconds * 1000)}")
            await connection.execute(WAIT)
    except asyncpg.LockNotAvailableError:
        return False
    return True
