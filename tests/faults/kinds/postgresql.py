"""PostgreSQL that crashes, restarts, runs out of connections, ends sessions, times out and finds deadlocks."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import asyncpg

from tests.faults.kinds.fault import Fault
from tests.faults.ledger import Connection
from tests.faults.stage import Stage

_OURS = "application_name LIKE 'bookstream%' AND datname = current_database()"
_TERMINATE = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_OURS}"  # noqa: S608
_IN_TRANSACTION = f"{_TERMINATE} AND xact_start IS NOT NULL"
_BLOCKED = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))"
_POLL = 0.02
# PostgreSQL lets whoever has waited for a second look for a deadlock, and ends that one.
_OUTWAIT = "30s"


@dataclass(slots=True)
class ServerDown(Fault):
    """The server is away: crashed, with recovery at the next start, or stopped in good order."""

    how: Literal["killed", "stopped"]

    async def inject(self, stage: Stage) -> None:
        """Takes the server away."""
        await asyncio.to_thread(stage.servers.postgres.kill if self.how == "killed" else stage.servers.postgres.stop)

    async def heal(self, stage: Stage) -> None:
        """Starts it; returns when it takes connections."""
        await asyncio.to_thread(stage.servers.postgres.start)


@dataclass(slots=True)
class SessionsEnded(Fault):
    """pg_terminate_backend, again and again, for sessions that are in the midst of a transaction."""

    _ending: asyncio.Task[None] | None = field(default=None, init=False)

    async def inject(self, stage: Stage) -> None:
        """Begins to end them."""
        self._ending = asyncio.create_task(self._end(await stage.connect()))

    async def heal(self, stage: Stage) -> None:
        """Ends no more."""
        assert self._ending is not None
        self._ending.cancel()
        await asyncio.gather(self._ending, return_exceptions=True)

    async def _end(self, connection: Connection) -> None:
        try:
            while True:
                await connection.fetchval(_IN_TRANSACTION)
                await asyncio.sleep(_POLL * 5)
        finally:
            connection.terminate()


@dataclass(slots=True)
class ConnectionsTaken(Fault):
    """Others hold every connection that the server has, and the service's are ended."""

    _taken: "list[Connection]" = field(default_factory=list, init=False)
    _own: "Connection | None" = field(default=None, init=False)

    async def inject(self, stage: Stage) -> None:
        """Takes what is free, ends the service's sessions, and takes what that frees."""
        self._own = await stage.connect()
        deadline = asyncio.get_running_loop().time() + 3
        await self._take_all(stage)
        while asyncio.get_running_loop().time() < deadline:
            if not await self._own.fetchval(_TERMINATE):
                break
            await self._take_all(stage)

    async def heal(self, stage: Stage) -> None:
        """Gives them back."""
        for connection in (*self._taken, *([self._own] if self._own else [])):
            connection.terminate()

    async def _take_all(self, stage: Stage) -> None:
        while True:
            try:
                self._taken.append(await stage.connect())
            except asyncpg.TooManyConnectionsError:
                return


@dataclass(slots=True)
class TimedOut(Fault):
    """New sessions get a time-out (for statements or locks), and a rival holds rows for longer than that."""

    setting: Literal["statement_timeout", "lock_timeout"]
    _rival: "Connection | None" = field(default=None, init=False)

    async def inject(self, stage: Stage) -> None:
        """Sets the time-out, ends the sessions without it, and locks all aggregates."""
        self._rival = await stage.connect()
        await self._rival.execute(f"ALTER DATABASE postgres SET {self.setting} = '200ms'")
        await self._rival.fetchval(_TERMINATE)
        await self._rival.execute("BEGIN")
        await self._rival.execute("LOCK TABLE aggregate IN EXCLUSIVE MODE")

    async def heal(self, stage: Stage) -> None:
        """Gives the locks back and takes the time-out away."""
        assert self._rival is not None
        await self._rival.execute("ROLLBACK")
        await self._rival.execute(f"ALTER DATABASE postgres RESET {self.setting}")
        await self._rival.fetchval(_TERMINATE)
        await self._rival.close()


@dataclass(slots=True)
class Deadlocked(Fault):
    """A rival that locks in the reverse order, and outwaits whoever finds the deadlock."""

    rounds: int

    async def inject(self, stage: Stage) -> None:
        """Meets the service's transactions so many times."""
        connection = await stage.connect()
        try:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await connection.execute(f"SET deadlock_timeout = '{_OUTWAIT}'")
            for _ in range(self.rounds):
                await self._meet(connection, pid)
        finally:
            connection.terminate()

    async def heal(self, stage: Stage) -> None:
        """The rival has gone."""

    async def _meet(self, connection: Connection, pid: int) -> None:
        """Locks what the service locks late, waits until it is waited for, and locks what the service holds."""
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE aggregate IN EXCLUSIVE MODE")
        try:
            async with asyncio.timeout(3):
                while not await connection.fetchval(_BLOCKED, pid):  # noqa: ASYNC110  nothing tells when
                    await asyncio.sleep(_POLL)
                await connection.execute("SELECT FROM progress FOR UPDATE")
        except (TimeoutError, asyncpg.DeadlockDetectedError):
            pass
        finally:
            await transaction.rollback()


@dataclass(slots=True)
class Serializable(Fault):
    """New sessions are serialisable, which makes PostgreSQL refuse what would do no harm."""

    async def inject(self, stage: Stage) -> None:
        """Raises the isolation of every session."""
        await self._set(stage, "SET default_transaction_isolation = 'serializable'")

    async def heal(self, stage: Stage) -> None:
        """Back to the default."""
        await self._set(stage, "RESET default_transaction_isolation")

    async def _set(self, stage: Stage, what: str) -> None:
        connection = await stage.connect()
        try:
            await connection.execute(f"ALTER DATABASE postgres {what}")
            await connection.fetchval(_TERMINATE)
        finally:
            await connection.close()
