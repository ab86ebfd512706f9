"""What a machine does to its processes: a clock that jumps, a disk that is full."""

import asyncio
from dataclasses import dataclass, field

import asyncpg

from tests.faults.kinds.fault import Fault
from tests.faults.ledger import Connection
from tests.faults.stage import Stage
from tests.support.faketime import set_clock
from tests.support.small_disk import SmallDisk

_SWITCHES = 20


@dataclass(slots=True)
class ClockJumped(Fault):
    """The wall clock of the role's processes is ahead, or behind."""

    ahead: int

    async def inject(self, stage: Stage) -> None:
        """Sets it."""
        self._set(stage, self.ahead)

    async def heal(self, stage: Stage) -> None:
        """Sets it right."""
        self._set(stage, 0)

    def _set(self, stage: Stage, seconds: int) -> None:
        for member in stage.of_role(self.area):
            assert member.clock is not None, "this fault is for processes with a clock of their own"
            set_clock(member.clock, seconds)


@dataclass(slots=True)
class DiskFull(Fault):
    """PostgreSQL can't write its log: it ends itself, and somebody clears the disk and starts it again."""

    disk: SmallDisk = field(repr=False)

    async def inject(self, stage: Stage) -> None:
        """Fills the disk and has the log written until that fails."""
        connection = await stage.connect()
        await asyncio.to_thread(self.disk.fill)
        try:
            await self._write(connection)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return
        finally:
            connection.terminate()
        raise AssertionError("the disk is full, and PostgreSQL goes on writing to it")

    async def heal(self, stage: Stage) -> None:
        """Clears the disk, and starts the server on what it has."""
        await asyncio.to_thread(self.disk.clear)
        await asyncio.to_thread(self.disk.postgres.kill)
        await asyncio.to_thread(self.disk.postgres.start)

    def told(self) -> str:
        """The disk has no name that matters."""
        return f"{self.kind}(seconds={self.seconds:.1f})"

    async def _write(self, connection: Connection) -> None:
        for _ in range(_SWITCHES):
            await connection.execute("CREATE TEMPORARY TABLE filler AS SELECT 1; DROP TABLE filler")
            await connection.fetchval("SELECT pg_switch_wal()")
