"""A TCP proxy whose connections can be cut, severed on one side, starved, slowed down and ended at a chosen moment."""

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from weakref import WeakSet

_CHUNK = 64 * 1024
# Linger on, for zero seconds: closing sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)
# A reset may overtake what was delivered just before it and is not read yet.
_READ_SECONDS = 0.02


@dataclass(slots=True, eq=False)
class Trap:
    """Waits for one exchange, and resets its connection there, on both sides.

    The exchange begins with a chunk to the server that `request` matches, or with any (None), and ends with the chunk
    to the client that `answer` matches, or the next one (None). The connection ends where `at` says: before the request
    is delivered, before its answer is, or after that. `then` is called just before the reset; `sprung` tells when.
    """

    at: Literal["request", "answer", "after"]
    request: re.Pattern[bytes] | None = None
    answer: re.Pattern[bytes] | None = None
    then: Callable[[], None] = lambda: None
    sprung: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class _Link:
    """A client's connection and the one that was made for it; `caught` is the trap that waits for its answer."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    severed: bool = False
    caught: Trap | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self) -> None:
        """End it on both sides."""
        _reset(self.client)
        _reset(self.server)
        self.ended.set()


class TcpProxy:
    """Forwards from `address` to a target; how it does so can be changed at any time.

    `refuse` new connections, `cut` those that are open, `sever` one side of them, `blackhole` to keep them open and
    deliver nothing, `slow` to delay every chunk, `set_trap` for one exchange, `restore` to forward again.
    """

    def __init__(self, host: str, port: int) -> None:
        """Prepare a proxy to `host:port`."""
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._links: set[_Link] = set()
        self._made: WeakSet[asyncio.StreamWriter] = WeakSet()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay = 0.0
        self._refusing = False
        self._trap: Trap | None = None

    @property
    def port(self) -> int:
        """Port on 127.0.0.1."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def address(self) -> str:
        """Where clients connect, `host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._made:
            # What nobody reads any more is never flushed.
            writer.transport.abort()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Reset every open connection on both sides."""
        for link in self._links:
            link.reset()

    def sever(self, side: Literal["client", "server"]) -> None:
        """Reset one side of every open connection; the other stays open, silent and unaware until `restore`."""
        for link in self._links:
            link.severed = True
            _reset(link.client if side == "client" else link.server)

    def refuse(self) -> None:
        """Reset connections as soon as they are made."""
        self._refusing = True

    def blackhole(self) -> None:
        """Deliver nothing in either direction and close nothing; what is sent meanwhile is delivered on `restore`."""
        self._flowing.clear()

    def slow(self, seconds: float) -> None:
        """Hold every chunk back for `seconds`."""
        self._delay = seconds

    def set_trap(self, trap: Trap | None) -> None:
        """Wait for one exchange on any connection; None takes the trap away."""
        self._trap = trap

    def restore(self) -> None:
        """Forward at once again, new connections too; whoever was left unaware learns it."""
        self._refusing, self._delay = False, 0.0
        self._flowing.set()
        for link in self._links:
            if link.severed:
                link.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._made.add(writer)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            # At the close; the server's own callback would report it as an error.
            pass
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            _reset(writer)
            return
        try:
            target_reader, target_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        self._made.add(target_writer)
        link = _Link(writer, target_writer)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, target_writer, link, self._request))
                both.create_task(self._pump(target_reader, writer, link, self._answer))
            if link.severed:
                await link.ended.wait()
        finally:
            self._links.discard(link)
            for side in (writer, target_writer):
                side.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: _Link,
        passes: Callable[[_Link, bytes], bool],
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._flowing.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                if link.severed or not passes(link, chunk):
                    return
                writer.write(chunk)
                await writer.drain()
                if link.caught is not None and link.caught.at == "after" and passes == self._answer:
                    await asyncio.sleep(_READ_SECONDS)
                    _spring(link, link.caught)
                    return
        await self._flowing.wait()
        if link.severed:
            return
        with suppress(OSError):
            if writer.can_write_eof():
                writer.write_eof()

    def _request(self, link: _Link, chunk: bytes) -> bool:
        trap = self._trap
        if trap is None or trap.request is None or not trap.request.search(chunk):
            return True
        self._trap, link.caught = None, trap
        if trap.at == "request":
            _spring(link, trap)
            return False
        return True

    def _answer(self, link: _Link, chunk: bytes) -> bool:
        trap = link.caught or self._trap
        if trap is None or (link.caught is None and trap.request is not None):
            return True
        if trap.answer is not None and not trap.answer.search(chunk):
            return True
        if link.caught is None:
            self._trap, link.caught = None, trap
        if trap.at == "answer":
            _spring(link, trap)
            return False
        return True


def _spring(link: _Link, trap: Trap) -> None:
    trap.then()
    link.reset()
    trap.sprung.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
