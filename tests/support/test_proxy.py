"""The TCP proxy does to connections what the fault tests ask of it."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from tests.support.proxy import TcpProxy, Trap
from tests.support.wait import until


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """Yield a proxy to a server that echoes lines."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with TcpProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


class _Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, line: bytes) -> None:
        self._writer.write(line)

    async def receive(self) -> bytes:
        return await self._reader.readline()

    async def ask(self, line: bytes) -> bytes:
        self.send(line)
        return await self.receive()

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def client(proxy: TcpProxy) -> AsyncIterator[_Client]:
    """Yield a client that is connected through the proxy."""
    client = _Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
    yield client
    client.close()


async def test_it_forwards_both_ways(client: _Client, proxy: TcpProxy) -> None:
    """Bytes arrive and answers come back."""
    assert await client.ask(b"one\n") == b"one\n"
    assert proxy.connections == 1


async def test_it_forgets_connections_that_ended(client: _Client, proxy: TcpProxy) -> None:
    """A client that leaves is not counted any more."""
    assert await client.ask(b"one\n") == b"one\n"
    client.close()
    await until(lambda: proxy.connections == 0)


async def test_a_cut_resets_the_client(client: _Client, proxy: TcpProxy) -> None:
    """The client sees a reset, not an orderly end, and may connect again."""
    assert await client.ask(b"one\n") == b"one\n"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await client.receive()
    again = _Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
    assert await again.ask(b"two\n") == b"two\n"
    again.close()


async def test_a_refusing_proxy_resets_new_connections(proxy: TcpProxy) -> None:
    """Whoever connects meanwhile is turned away, until it forwards again."""
    proxy.refuse()
    refused = _Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
    with pytest.raises(ConnectionResetError):
        await refused.receive()
    refused.close()
    proxy.restore()
    accepted = _Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
    assert await accepted.ask(b"one\n") == b"one\n"
    accepted.close()


async def test_a_blackhole_delivers_once_it_is_lifted(client: _Client, proxy: TcpProxy) -> None:
    """The connection stays open and silent, and nothing sent meanwhile is lost."""
    assert await client.ask(b"one\n") == b"one\n"
    proxy.blackhole()
    client.send(b"two\n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.receive()
    assert proxy.connections == 1
    proxy.restore()
    assert await client.receive() == b"two\n"


async def test_a_slow_proxy_holds_back(client: _Client, proxy: TcpProxy) -> None:
    """Every chunk is delivered, later."""
    proxy.slow(0.01)
    assert await client.ask(b"one\n") == b"one\n"
    proxy.slow(3600)
    client.send(b"two\n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.receive()


async def test_a_severed_client_learns_nothing(client: _Client, proxy: TcpProxy) -> None:
    """Its connection stays open and silent, whatever it sends, until the proxy forwards again."""
    assert await client.ask(b"one\n") == b"one\n"
    proxy.sever("server")
    client.send(b"two\n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.receive()
    assert proxy.connections == 1
    proxy.restore()
    with pytest.raises(ConnectionResetError):
        await client.receive()


async def test_a_severed_server_learns_nothing(client: _Client, proxy: TcpProxy) -> None:
    """The client is reset; the other half stays, until the proxy forwards again."""
    assert await client.ask(b"one\n") == b"one\n"
    proxy.sever("client")
    with pytest.raises(ConnectionResetError):
        await client.receive()
    assert proxy.connections == 1
    proxy.restore()
    await until(lambda: proxy.connections == 0)


@pytest.mark.parametrize("at", ["request", "answer", "after"])
async def test_a_trap_ends_one_exchange_where_it_says(
    client: _Client, proxy: TcpProxy, at: Literal["request", "answer", "after"]
) -> None:
    """Others pass; the one that it waits for is reset before it, before its answer, or after that."""
    done: list[str] = []
    trap = Trap(at, request=re.compile(rb"\Atwo"), then=lambda: done.append("then"))
    proxy.set_trap(trap)
    assert await client.ask(b"one\n") == b"one\n"
    assert not trap.sprung.is_set()
    client.send(b"two\n")
    if at == "after":
        assert await client.receive() == b"two\n"
    with pytest.raises(ConnectionResetError):
        await client.receive()
    assert trap.sprung.is_set()
    assert done == ["then"]
    again = _Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
    assert await again.ask(b"two\n") == b"two\n"
    again.close()


async def test_a_trap_may_wait_for_an_answer(client: _Client, proxy: TcpProxy) -> None:
    """Whatever was asked, the answer that it waits for is not delivered."""
    proxy.set_trap(Trap("answer", answer=re.compile(rb"\Atwo")))
    assert await client.ask(b"one\n") == b"one\n"
    with pytest.raises(ConnectionResetError):
        await client.ask(b"two\n")
