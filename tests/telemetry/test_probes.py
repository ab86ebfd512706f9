import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from service.telemetry.probes import METRICS_PATH, probe_server
from tests.support.wait import until

HEAD = b"%b %b HTTP/1.1\r\nHost: x\r\n%b\r\n"


async def _well() -> list[str]:
    return []


async def _metrics() -> bytes:
    return b"# EOF\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where the probes are served."""
    server = probe_server("127.0.0.1", 0, {"/livez": _well}, _metrics)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def answer(port: int, *sent: bytes) -> bytes:
    """All that comes back until the other side hangs up; each part is sent when something came back for the last."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    for part in sent:
        writer.write(part)
        found += await reader.read(10_000)
    found += await reader.read()
    writer.close()
    await writer.wait_closed()
    return found


@pytest.mark.parametrize("path", [b"/livez", METRICS_PATH.encode(), b"/nothing"])
@pytest.mark.parametrize("method", [b"CONNECT", b"POST"])
async def test_only_reading_is_allowed(port: int, path: bytes, method: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Other methods are told which ones there are, and nothing fails."""
    found = await answer(port, HEAD % (method, path, b"Connection: close\r\n"))
    assert found.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: GET, HEAD\r\n" in found
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_reading_is_allowed(port: int, method: bytes) -> None:
    """The methods that read are answered."""
    assert (await answer(port, HEAD % (method, b"/livez", b"Connection: close\r\n"))).startswith(b"HTTP/1.1 200 ")


async def test_no_request_at_all(port: int) -> None:
    """What is no request is told so."""
    assert (await answer(port, b"\x16\x03\x01\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_a_body_that_breaks_after_the_answer(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Who breaks the protocol when the answer was sent is hung up on, and no error is logged."""
    found = await answer(port, HEAD % (b"GET", b"/livez", b"Transfer-Encoding: chunked\r\n"), b"no chunk\r\n")
    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.count(b"HTTP/1.1") == 1
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
