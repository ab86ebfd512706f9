"""A TCP proxy whose connections can be cut, starved and slowed down."""

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK = 64 * 1024
# Linger on, for zero seconds: closing sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class TcpProxy:
    """Forwards from `address` to a target; how it does so can be changed at any time.

    `refuse` new connections, `cut` those that are open, `blackhole` to keep them open and deliver nothing
    (a half-open peer), `slow` to delay every chunk, `restore` to forward again.
    """

    def __init__(self, host: str, port: int) -> None:
        """Prepare a proxy to `host:port`."""
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._made: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay = 0.0
        self._refusing = False

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
        return len(self._writers) // 2

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
        for writer in self._writers:
            _reset(writer)

    def refuse(self) -> None:
        """Reset connections as soon as they are made."""
        self._refusing = True

    def blackhole(self) -> None:
        """Deliver nothing in either direction and close nothing; what is sent meanwhile is delivered on `restore`."""
        self._flowing.clear()

    def slow(self, seconds: float) -> None:
        """Hold every chunk back for `seconds`."""
        self._delay = seconds

    def restore(self) -> None:
        """Forward at once again, new connections too."""
        self._refusing, self._delay = False, 0.0
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._made.add(writer)
        try:
            await self._serve(reader, writer)
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
        pair = {writer, target_writer}
        self._made.add(target_writer)
        self._writers |= pair
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, target_writer))
                both.create_task(self._pump(target_reader, writer))
        finally:
            self._writers -= pair
            for side in pair:
                side.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._flowing.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(chunk)
                await writer.drain()
            await self._flowing.wait()
            if writer.can_write_eof():
                writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
