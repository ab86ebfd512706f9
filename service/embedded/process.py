"""A server as a child process that never outlives the process which started it."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from service.errors import ServiceError

LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.02
_GIVE_UP_SECONDS = 5.0
_PORTS_TRIED = 3
# Reads until its standard input ends, which happens when the parent dies, however it dies.
_WATCH = 'read -r _ || kill -s "$1" "$2" 2>/dev/null'


class EmbeddedServerError(ServiceError):
    """An embedded server is not installed, did not start or did not stop; the text carries the remedy."""


class ServerProcess:
    """One running child, its log file and its watcher."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: int | None = None,
        group: int | None = None,
        orphan_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Start `command` in a session of its own, as `user` and `group` where given.

        `orphan_signal` is what the child gets if this process dies without stopping it.
        """
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )
        self._watcher: subprocess.Popen[bytes] = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "watch", orphan_signal.name.removeprefix("SIG"), str(self._child.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while the child runs."""
        return self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child if it still runs."""
        self._child.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Reap the child; after `seconds` it is killed first."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()
        finally:
            self._dismiss_watcher()

    def came_up(self, answers: Callable[[], bool], seconds: float) -> bool:
        """Wait until the child answers; False where it ended before, or took longer."""
        return wait_until(lambda: self.exit_code is not None or answers(), seconds) and self.exit_code is None

    def tail(self, size: int = 2000) -> str:
        """Return the end of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-size:].strip()

    def _dismiss_watcher(self) -> None:
        """End the watcher before the child's process id can belong to another process."""
        self._watcher.kill()
        self._watcher.wait()
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()


class EmbeddedServer(ABC):
    """What the embedded servers share: blocking `start`, `stop` and `kill`, and both kinds of `with`.

    `async with` runs the blocking calls on a thread, so that an event loop can own a server too.
    """

    @abstractmethod
    def start(self) -> None:
        """Start, and return once the server answers; a second start uses the same address and data."""

    @abstractmethod
    def stop(self) -> None:
        """Stop in good order; nothing happens where it does not run."""

    @abstractmethod
    def kill(self) -> None:
        """Crash: SIGKILL to every process of the server, all reaped when this returns."""

    @abstractmethod
    def close(self) -> None:
        """Stop and remove what was put into temporary directories."""

    def __enter__(self) -> Self:
        self._start_or_close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._start_or_close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def _start_or_close(self) -> None:
        try:
            self.start()
        except BaseException:
            self.close()
            raise


def start_on_port(
    port: int | None,
    launch: Callable[[int], ServerProcess],
    answers: Callable[[ServerProcess, int], bool],
    seconds: float,
) -> tuple[ServerProcess, int]:
    """Launch on `port`, else on a free one, and return the child and its port once it answers.

    A free port may be taken by another process before the child binds it, so some are tried.
    """
    if port is not None and not _is_free(port):
        raise EmbeddedServerError(f"the server did not start: port {port} is taken")
    said = ""
    for _ in range(_PORTS_TRIED if port is None else 1):
        chosen = free_port() if port is None else port
        process = launch(chosen)
        up = False
        try:
            up = process.came_up(partial(answers, process, chosen), seconds)
        finally:
            if not up:
                process.signal(signal.SIGTERM)
                process.wait(_GIVE_UP_SECONDS)
        if up:
            return process, chosen
        said = process.tail()
    raise EmbeddedServerError(f"the server did not start: {said}")


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    """Look before the child does: whoever else listens there would answer in its place."""
    with socket.socket() as probe:
        # Connections of an earlier server that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll `condition` until it holds, at most `seconds`; tell whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
