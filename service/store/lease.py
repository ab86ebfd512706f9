"""Who of several may work: the session that holds an advisory lock, as long as that session lives.

An owner that is frozen, or cut off, loses its session within seconds, and with it the lock. It can't know that while it
is frozen; so what it does outside of the session is fenced by the time since the session was last shown alive, which is
measured by a clock that goes on meanwhile.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from service.store import arrays

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.5
# The server ends a session after this time without a word: idle, in mid-transaction, or with answers not taken.
SILENT_SECONDS = 3.0
# From when on the session was shown alive it lives for longer than this, whatever happens to its owner.
FRESH_SECONDS = 2.0
_TRY_AGAIN_SECONDS = 0.5
_LOCK_CLASS = 0x626F6F6B  # "book"
_SILENT = f"{SILENT_SECONDS:.0f}s"
_SESSION = {
    # What is lost with a crash is only repeated: a publication, or a timer that is sent.
    "synchronous_commit": "off",
    "idle_session_timeout": _SILENT,
    "idle_in_transaction_session_timeout": _SILENT,
    "tcp_user_timeout": _SILENT,
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
}
# The last but two: what asyncpg says of a session that ends between two steps of a statement.
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class LeaseEnded(Exception):
    """The session is gone, and with it the right to work."""


@dataclass(slots=True)
class Lease:
    """The connection that holds the lock. Everything done as the owner is done on it, so that nothing outlives it.

    What can't be done on it waits for `proof`.
    """

    connection: "asyncpg.Connection[asyncpg.Record]"
    note: Callable[[], None]
    _shown: float = field(default_factory=lambda: -FRESH_SECONDS)
    _ended: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def beat(self) -> None:
        """Show the server, and learn, that the session is alive; raises one of `LOST` otherwise."""
        asked = time.monotonic()
        try:
            await self.connection.execute("SELECT 1")
        except LOST:
            self.end()
            raise
        # The server has waited since it answered, which was after this.
        self._shown = asked
        self._news.set()
        self.note()

    async def beat_if_due(self) -> None:
        """Beat unless that was done a moment ago."""
        if time.monotonic() - self._shown >= HEARTBEAT_SECONDS:
            await self.beat()

    async def proof(self) -> None:
        """Return when the session was shown alive so lately that nobody else can have the lock yet.

        Waits for whoever beats; raises LeaseEnded when the session is known to be gone.
        """
        while not self._ended and time.monotonic() - self._shown >= FRESH_SECONDS:
            self._news.clear()
            await self._news.wait()
        if self._ended:
            raise LeaseEnded

    def end(self) -> None:
        """Note that nothing may be done any more."""
        self._ended = True
        self._news.set()


@asynccontextmanager
async def held_lease(
    database_url: str, role: str, number: int, stopping: asyncio.Event, note: Callable[[], None]
) -> AsyncIterator[Lease | None]:
    """Wait until the role's lock of this number is ours; given back at the end. None when `stopping` was set before.

    Raises one of `LOST` when PostgreSQL is away. The address must lead to a session of its own, not through a pool that
    shares sessions between transactions.
    """
    arrays.install()
    connection = await asyncpg.connect(
        database_url,
        timeout=5.0,
        command_timeout=5.0,
        server_settings={**_SESSION, "application_name": f"bookstream {role}"},
    )
    try:
        if await _acquire(connection, role, number, stopping, note):
            log.info("this process is the active %s", role)
            lease = Lease(connection, note)
            try:
                yield lease
            finally:
                lease.end()
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
        await wait_for_event(stopping, _TRY_AGAIN_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311  no secret
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
