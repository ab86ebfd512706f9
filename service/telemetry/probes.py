"""Probes over HTTP: `/livez` says that no loop is stuck, `/readyz` that work can be taken."""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol

import uvicorn

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Probe(Protocol):
    """Gives the problems that there are; none means well."""

    def __call__(self) -> list[str]:
        """Looks at what is known now."""
        ...


class ProbeServer(uvicorn.Server):
    """Serves the probes; signals are the application's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signal handlers as they are."""
        yield


def probe_server(host: str, port: int, probes: Mapping[str, Probe]) -> ProbeServer:
    """Builds the server of these paths; run it with `serve()`, end it by `should_exit`."""
    config = uvicorn.Config(
        _application(probes), host=host, port=port, lifespan="off", access_log=False, log_config=None, ws="none"
    )
    return ProbeServer(config)


def _application(probes: Mapping[str, Probe]) -> Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]:
    async def application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        del receive
        probe = probes.get(scope["path"])
        if probe is None:
            status, problems = 404, [f"nothing is here; ask {', '.join(sorted(probes))}"]
        else:
            problems = probe()
            status = 503 if problems else 200
        body = json.dumps({"status": "fail" if problems else "pass", "problems": problems}).encode()
        headers = [(b"content-type", b"application/health+json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application
