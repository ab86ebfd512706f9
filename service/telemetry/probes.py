"""Probes and metrics over HTTP: `/livez`, `/readyz`, `/metrics`."""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.telemetry.meters import CONTENT_TYPE

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
METRICS_PATH = "/metrics"
METHODS = ("GET", "HEAD")
NOT_ALLOWED = 405


class Probe(Protocol):
    """Gives the problems that there are; none means well."""

    async def __call__(self) -> list[str]:
        """Looks at what is known now."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    content_type: str
    body: bytes


class ProbeServer(uvicorn.Server):
    """Serves the probes; signals are the application's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signal handlers as they are."""
        yield


class Connection(H11Protocol):
    """Speaks HTTP/1.1; whoever breaks it when an answer is on its way, or was sent, is hung up on without a second."""

    def send_400_response(self, msg: str) -> None:
        """Answers what is no request, where there was none before it."""
        if self.conn.our_state is h11.IDLE:
            super().send_400_response(msg)
            return
        self.cycle.disconnected = True
        self.transport.close()


def probe_server(
    host: str, port: int, probes: Mapping[str, Probe], metrics: Callable[[], Awaitable[bytes]]
) -> ProbeServer:
    """Builds the server of these paths and of the metrics; run it with `serve()`, end it by `should_exit`."""
    config = uvicorn.Config(
        _application(probes, metrics),
        host=host,
        port=port,
        lifespan="off",
        access_log=False,
        log_config=None,
        http=Connection,
        ws="none",
    )
    return ProbeServer(config)


def _application(
    probes: Mapping[str, Probe], metrics: Callable[[], Awaitable[bytes]]
) -> Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]:
    async def application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        del receive
        path = scope["path"]
        if scope["method"] not in METHODS:
            answer = _answer(NOT_ALLOWED, [f"expected {' or '.join(METHODS)}"])
        elif path == METRICS_PATH:
            answer = Answer(200, CONTENT_TYPE, await metrics())
        else:
            answer = await _judged(probes, path)
        headers = [(b"content-type", answer.content_type.encode()), (b"cache-control", b"no-store")]
        if answer.status == NOT_ALLOWED:
            headers.append((b"allow", ", ".join(METHODS).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    return application


async def _judged(probes: Mapping[str, Probe], path: str) -> Answer:
    probe = probes.get(path)
    if probe is None:
        status, problems = 404, [f"nothing is here; ask {', '.join(sorted({*probes, METRICS_PATH}))}"]
    else:
        problems = await probe()
        status = 503 if problems else 200
    return _answer(status, problems)


def _answer(status: int, problems: list[str]) -> Answer:
    body = json.dumps({"status": "fail" if problems else "pass", "problems": problems}).encode()
    return Answer(status, "application/health+json", body)
