"""Processes of the service that die, freeze, or are restarted."""

import asyncio
import signal
from dataclasses import dataclass, field

from tests.faults.kinds.fault import Fault
from tests.faults.stage import Member, Stage


@dataclass(slots=True)
class Killed(Fault):
    """SIGKILL, and a new process after some time."""

    which: int
    _member: Member | None = field(default=None, init=False)

    async def inject(self, stage: Stage) -> None:
        """Kills one process of the role."""
        self._member = _one(stage, self.area, self.which)
        await asyncio.to_thread(self._member.service.kill)

    async def heal(self, stage: Stage) -> None:
        """Starts it again; it comes up by itself."""
        assert self._member is not None
        self._member.service.start()


@dataclass(slots=True)
class Frozen(Fault):
    """SIGSTOP and SIGCONT: it keeps its connections, its batch and what it believes to own."""

    which: int
    _member: Member | None = field(default=None, init=False)

    async def inject(self, stage: Stage) -> None:
        """Freezes one process of the role."""
        self._member = _one(stage, self.area, self.which)
        self._member.service.signal(signal.SIGSTOP)

    async def heal(self, stage: Stage) -> None:
        """Thaws it."""
        assert self._member is not None
        self._member.service.signal(signal.SIGCONT)


@dataclass(slots=True)
class Restarted(Fault):
    """SIGTERM, and a new process at once; a clean stop ends with exit code 0."""

    which: int

    async def inject(self, stage: Stage) -> None:
        """Restarts one process of the role."""
        member = _one(stage, self.area, self.which)
        # While Python starts there is nobody yet to heed the signal.
        await stage.ready([member])
        service = member.service
        code = await asyncio.to_thread(service.stop)
        service.start()
        if code != 0:
            raise AssertionError(f"a {self.area} that was asked to stop ended with {code}: {service.tail()}")

    async def heal(self, stage: Stage) -> None:
        """It is up to the process."""


def _one(stage: Stage, role: str, which: int) -> Member:
    members = stage.of_role(role)
    return members[which % len(members)]
