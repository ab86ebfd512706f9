"""Bytes on a connection of the probes, without a network: answers of ours, few and small."""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from functools import cache
from typing import Any, Final

from uvicorn import Config
from uvicorn.server import ServerState

from service.telemetry.probes import Connection, probe_server

METRICS: Final = b"# EOF\n"
STATUS: Final = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
EXPECTED: Final = {b"200", b"400", b"404", b"405", b"503"}
# Of one answer, head and body.
MOST_ANSWERED: Final = 500
KNOWN: Final = ("Invalid HTTP request received.", "Unsupported upgrade request.", "No supported WebSocket library")


class Transport(asyncio.Transport):
    """A connection whose other side only keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        """Keeps what is sent."""
        self.sent += data

    def is_closing(self) -> bool:
        """Whether our side has ended it."""
        return self.closed

    def close(self) -> None:
        """Ends it."""
        self.closed = True

    def pause_reading(self) -> None:
        """Is asked for where requests come faster than they are answered."""

    def resume_reading(self) -> None:
        """Is asked for after the answer."""


class Task:
    """A task that is done as soon as it is waited for."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self.work = work

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Is never called: nothing is kept behind it."""

    def run(self) -> None:
        """Runs to the end; the probes of this target wait for nothing."""
        try:
            self.work.send(None)
        except StopIteration:
            return
        raise AssertionError("the application waits")


class Loop:
    """As much of an event loop as a connection asks for."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def create_task(self, work: Coroutine[Any, Any, None]) -> Task:
        """Keeps work for later."""
        self.tasks.append(Task(work))
        return self.tasks[-1]

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle | None:
        """Forgets it: a connection lasts for a moment only."""
        return None


class Log(logging.Handler):
    """Looks at what is logged of a connection."""

    def emit(self, line: logging.LogRecord) -> None:
        """Nothing that was sent may get into a line, and nothing fails."""
        assert line.getMessage().startswith(KNOWN), line.getMessage()


def target(data: bytes) -> None:
    """Sends the bytes in two parts and hangs up."""
    loop, transport = Loop(), Transport()
    protocol = Connection(_config(), ServerState(), {}, loop)  # type: ignore[arg-type]
    protocol.logger = _logger()
    protocol.connection_made(transport)
    half = len(data) // 2
    for part in (data[:half], data[half:]):
        # Nothing would mean an end.
        if part and not transport.closed:
            protocol.data_received(part)
        while loop.tasks:
            loop.tasks.pop(0).run()
    protocol.connection_lost(None)
    statuses = STATUS.findall(bytes(transport.sent))
    assert set(statuses) <= EXPECTED, statuses
    assert len(transport.sent) <= MOST_ANSWERED * len(statuses)
    # One for each request, and one for what is none.
    assert len(statuses) <= data.count(b"\n") + 1


async def _well() -> list[str]:
    return []


async def _ill() -> list[str]:
    return ["the relay stands still"]


async def _metrics() -> bytes:
    return METRICS


@cache
def _config() -> Config:
    config = probe_server("127.0.0.1", 0, {"/livez": _well, "/readyz": _ill}, _metrics).config
    config.load()
    return config


@cache
def _logger() -> logging.Logger:
    logger = logging.getLogger("tests.fuzz.probes")
    logger.propagate = False
    logger.addHandler(Log())
    return logger


def seeds() -> Sequence[bytes]:
    """Requests as probes and scrapers write them, and as nobody should."""
    head = b"Host: x\r\nAccept: */*\r\nUser-Agent: kube-probe/1.34\r\n"
    return [
        *(b"GET %b HTTP/1.1\r\n%b\r\n" % (path, head) for path in (b"/livez", b"/readyz", b"/metrics", b"/x?y=%00#z")),
        b"HEAD /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
        b"POST /metrics HTTP/1.1\r\n%bContent-Length: 5\r\n\r\nabcdeGET /livez HTTP/1.1\r\nHost: x\r\n\r\n" % head,
        b"POST /x HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n" % head,
        b"PUT /livez HTTP/1.1\r\n%bExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx" % head,
        b"GET /livez HTTP/1.1\r\n%bConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" % head,
        b"GET http://x/%%2e%%2e/livez HTTP/1.1\r\n%bX: %b\r\n\r\n" % (head, b"y" * 70_000),
        *(b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (place, head) for place in (b"x:1", b"/livez")),
    ]
