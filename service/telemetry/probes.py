"""Probes and metrics over HTTP: `/livez`, `/readyz`, `/metrics`."""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import uvicorn

from service.telemetry.meters import CONTENT_TYPE

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
METRICS_PATH = "/metrics"


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
        ws="none",
    )
    return ProbeServer(config)


def _application(
    probes: Mapping[str, Probe], metrics: Callable[[], Awaitable[bytes]]
) -> Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]:
    async def application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        del receive
        path = scope["path"]
        answer = Answer(200, CONTENT_TYPE, await metrics()) if path == METRICS_PATH else await _judged(probes, path)
        headers = [(b"content-type", answer.content_type.encode()), (b"cache-control", b"no-store")]
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
    body = json.dumps({"status": "fail" if problems else "pass", "problems": problems}).encode()
    return Answer(status, "application/health+json", body)
