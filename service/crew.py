"""Worker processes beside the first one, forked before any loop runs: begun, asked and ended through a socket each.

The first process serves the probes for everybody. It ends when a worker process does; a worker process ends when the
first one is gone, however that went.
"""

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from service.parts import Parts
from service.settings import Settings
from service.telemetry.probes import probe_server

log = logging.getLogger(__name__)

BEGIN: Final = b"begin\n"
ASK: Final = b"ask\n"
WAKE: Final = b"wake\n"
ANSWER_WITHIN: Final = 1.5
# Longer than a worker may take to drain.
END_WITHIN: Final = 40.0
_LONGEST_ANSWER: Final = 16 * 1024 * 1024
_PR_SET_PDEATHSIG: Final = 1


@dataclass(slots=True)
class Member:
    """A worker process as the first one sees it; `asked` are those who wait for its next answers."""

    number: int
    pid: int
    channel: socket.socket
    writer: asyncio.StreamWriter | None = None
    asked: deque[asyncio.Future[Any]] = field(default_factory=deque)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"worker process {self.number}"


class Seat:
    """A worker process's own end."""

    def __init__(self, channel: socket.socket, number: int = 2) -> None:
        self.number = number
        self._channel = channel
        self._writer: asyncio.StreamWriter | None = None

    def wait(self) -> None:
        """Returns when the first process has begun; ends this process when it won't."""
        if sys.platform == "linux":
            # Also where this loop hangs and nobody reads the socket.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        if self._channel.recv(len(BEGIN), socket.MSG_WAITALL) != BEGIN:
            os._exit(0)

    @asynccontextmanager
    async def served(self, parts: Parts, settings: Settings) -> AsyncIterator[None]:
        """Answers the first process meanwhile."""
        del settings
        reader, self._writer = await asyncio.open_unix_connection(sock=self._channel)
        answering = asyncio.create_task(_answer(reader, self._writer, parts), name="seat")
        try:
            yield
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    def wake(self) -> None:
        """Tells the first process that there is something to publish."""
        if self._writer is not None:
            self._writer.write(WAKE)

    def leave(self) -> None:
        """Nobody follows this process."""

    def signal(self, number: signal.Signals) -> None:
        """Nobody follows this process."""

    async def end(self) -> None:
        """Nobody follows this process."""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: Parts) -> None:
    while await reader.readline() == ASK:
        report = {"live": parts.not_live(), "ready": parts.not_ready(), "meters": parts.meters.dump()}
        writer.write(orjson.dumps(report) + b"\n")
    # As if it had been killed with the first process: what it was at is applied whole or not at all.
    os._exit(1)


class Crew:
    """The first process's end, of no worker process or several; `lost` tells of one that ended by itself."""

    number: Final = 1

    def __init__(self, members: Sequence[Member] = ()) -> None:
        self.lost: str | None = None
        self._members = members
        self._hearing: list[asyncio.Task[None]] = []
        self._leaving = False
        self._exit_now: Callable[[], None] = lambda: None
        self._wake: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def served(self, parts: Parts, settings: Settings) -> AsyncIterator[None]:
        """Serves the probes and metrics of all processes meanwhile."""

        async def not_live() -> list[str]:
            return [*parts.not_live(), *await self._problems("live")]

        async def not_ready() -> list[str]:
            return [*parts.not_ready(), *await self._problems("ready")]

        async def metrics() -> bytes:
            dumps = [answer["meters"] for answer in await self._ask() if answer is not None]
            return parts.meters.text(dumps, [member.pid for member in self._members])

        probes = probe_server(
            settings.http_host, settings.http_port, {"/livez": not_live, "/readyz": not_ready}, metrics
        )
        served = asyncio.create_task(probes.serve(), name="probes")
        try:
            yield
        finally:
            probes.should_exit = True
            await served

    async def begin(self, exit_now: Callable[[], None], wake: Callable[[], None]) -> None:
        """Lets the worker processes begin; `exit_now` is called when one ends, `wake` when one has committed."""
        self._exit_now, self._wake = exit_now, wake
        for member in self._members:
            reader, member.writer = await asyncio.open_unix_connection(sock=member.channel, limit=_LONGEST_ANSWER)
            member.writer.write(BEGIN)
            self._hearing.append(asyncio.create_task(self._hear(member, reader), name=member.name))

    def leave(self) -> None:
        """Lets the worker processes drain and end."""
        self._leaving = True
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Hands a signal on."""
        for member in self._members:
            try:
                os.kill(member.pid, number)
            except ProcessLookupError:
                log.debug("%s has ended already", member.name)

    async def end(self) -> None:
        """Waits until the worker processes have ended, and ends those that take too long."""
        self.leave()
        for member in self._members:
            if member.writer is None:
                member.channel.close()
                await asyncio.to_thread(os.waitpid, member.pid, 0)
        if not self._hearing:
            return
        _, late = await asyncio.wait(self._hearing, timeout=END_WITHIN)
        if late:
            log.warning("%d worker processes did not end in time", len(late))
            self.signal(signal.SIGKILL)
            await asyncio.wait(late)

    async def _hear(self, member: Member, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line == WAKE:
                self._wake()
                continue
            waiting = member.asked.popleft()
            if not waiting.done():
                waiting.set_result(orjson.loads(line))
        _, status = await asyncio.to_thread(os.waitpid, member.pid, 0)
        if not self._leaving:
            self.lost = f"{member.name} ended with {os.waitstatus_to_exitcode(status)}"
            log.error("%s: the service ends with it", self.lost)
            self._exit_now()

    async def _problems(self, probe: str) -> list[str]:
        answers = zip(self._members, await self._ask(), strict=True)
        return [f"{member.name}: {problem}" for member, answer in answers for problem in _told(probe, member, answer)]

    async def _ask(self) -> list[dict[str, Any] | None]:
        return await asyncio.gather(*map(_ask, self._members))


def _told(probe: str, member: Member, answer: dict[str, Any] | None) -> Sequence[str]:
    if member.writer is None:
        # It is alive: it waits until this process has found what both depend on.
        return ["has not begun"] if probe == "ready" else []
    problems: Sequence[str] = ["does not answer"] if answer is None else answer[probe]
    return problems


async def _ask(member: Member) -> dict[str, Any] | None:
    """What a worker process says of itself; None when it says nothing."""
    if member.writer is None or member.writer.is_closing():
        return None
    answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    member.asked.append(answer)
    member.writer.write(ASK)
    try:
        return await asyncio.wait_for(answer, ANSWER_WITHIN)
    except TimeoutError:
        return None


def fork(count: int) -> tuple[Crew, Seat | None]:
    """Makes so many worker processes; each of them returns with its seat. Call it before anything runs."""
    members: list[Member] = []
    for number in range(2, count + 2):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            for other in (ours, *(member.channel for member in members)):
                other.close()
            return Crew(), Seat(theirs, number)
        theirs.close()
        members.append(Member(number, pid, ours))
    return Crew(members), None
