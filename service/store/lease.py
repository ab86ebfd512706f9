"""Who of several may work: the session that holds an advisory lock, as long as that session lives."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
_TRY_AGAIN_SECONDS = 1.0
_LOCK_CLASS = 0x626F6F6B  # "book"
_SESSION = {
    # What is lost with a crash is only repeated: a publication, or a timer that is sent.
    "synchronous_commit": "off",
    # Ends the session of an owner that was frozen or cut off, and with it the lock. The owner beats faster.
    "idle_session_timeout": "10s",
}
# asyncpg calls it an internal error when the server ends a session just as the next statement is sent.
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Lease:
    """The connection that holds the lock. Everything done as the owner is done on it, so that nothing outlives it."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    note: Callable[[], None]

    async def beat(self) -> None:
        """Show the server, and learn, that the session is alive; raises one of `LOST` otherwise."""
        await self.connection.execute("SELECT 1")
        self.note()


@asynccontextmanager
async def held_lease(
    database_url: str, role: str, number: int, stopping: asyncio.Event, note: Callable[[], None]
) -> AsyncIterator[Lease | None]:
    """Wait until the role's lock of this number is ours; given back at the end. None when `stopping` was set before.

    Raises one of `LOST` when PostgreSQL is away. The address must lead to a session of its own, not through a pool that
    shares sessions between transactions.
    """
    connection = await asyncpg.connect(
        database_url,
        timeout=5.0,
        command_timeout=5.0,
        server_settings={**_SESSION, "application_name": f"bookstream {role}"},
    )
    try:
        if await _acquire(connection, role, number, stopping, note):
            log.info("this process is the active %s", role)
            yield Lease(connection, note)
        else:
            yield None
    finally:
        await _close(connection)


async def _acquire(
    connection: "asyncpg.Connection[asyncpg.Record]",
    role: str,
    number: int,
    stopping: asyncio.Event,
    note: Callable[[], None],
) -> bool:
    waiting = False
    while not stopping.is_set():
        if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCK_CLASS, number):
            return True
        note()
        if not waiting:
            log.info("another process is the active %s; this one stands by", role)
            waiting = True
        await wait_for_event(stopping, _TRY_AGAIN_SECONDS)
    return False


async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


async def _close(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    try:
        await connection.close(timeout=2.0)
    except LOST:
        connection.terminate()
