"""The service as its operators run it: a process of its own, settings by environment."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from service.embedded.process import LOOPBACK, ServerProcess, free_port
from tests.e2e.broker import Broker
from tests.support.wait import until

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "service")
START_SECONDS = 40.0
STOP_SECONDS = 40.0
_ASK_SECONDS = 2.0


def environment(broker: Broker, database_url: str, **more: str) -> dict[str, str]:
    """The settings of a service on this broker and database; an empty one in `more` is left out."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOOKSTREAM_")}
    settings = {
        "PYTHONPATH": str(ROOT),
        "BOOKSTREAM_DATABASE_URL": database_url,
        "BOOKSTREAM_KAFKA_BOOTSTRAP": broker.bootstrap,
        "BOOKSTREAM_TOPIC_PREFIX": broker.prefix,
        "BOOKSTREAM_GROUP_ID": f"{broker.prefix}bookstream",
        "BOOKSTREAM_REPLICATION": "1",
        "BOOKSTREAM_SIGNING": "off",
        "BOOKSTREAM_HTTP_ADDRESS": f"{LOOPBACK}:{free_port()}",
    }
    return {name: value for name, value in {**inherited, **settings, **more}.items() if value}


class Service:
    """A process of the service that can be stopped, killed and started again; use as a context manager."""

    def __init__(
        self,
        settings: Mapping[str, str],
        directory: Path,
        roles: str = "worker,relay,clock",
        command: Sequence[str] = COMMAND,
    ) -> None:
        """`directory` gets the log of every start; `command` runs the service's command line."""
        self.log = directory / f"service-{roles.replace(',', '-')}-{free_port()}.log"
        self.roles = roles
        self._settings = dict(settings)
        self._command = tuple(command)
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self.kill()

    def start(self) -> None:
        """Starts the process and returns at once."""
        command = [*self._command, "run", "--roles", self.roles]
        self._process = ServerProcess(command, log=self.log, environment=self._settings)

    def kill(self) -> None:
        """SIGKILL, reaped when this returns."""
        process, self._process = self._running, None
        process.signal(signal.SIGKILL)
        process.wait(STOP_SECONDS)

    def stop(self) -> int | None:
        """SIGTERM; gives the exit code."""
        process, self._process = self._running, None
        process.signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
        return process.exit_code

    async def ready(self) -> None:
        """Waits until the process says that it can take work."""

        async def is_ready() -> bool:
            return await asyncio.to_thread(self.problems) == []

        await until(is_ready, START_SECONDS)

    def problems(self) -> list[str]:
        """What the readiness probe has to say."""
        self.ensure_running()
        try:
            _, body = self.get("/readyz")
        except OSError as error:
            return [str(error)]
        problems: list[str] = json.loads(body)["problems"]
        return problems

    @property
    def address(self) -> str:
        """Host and port of probes and metrics."""
        return self._settings["BOOKSTREAM_HTTP_ADDRESS"]

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer over HTTP; raises OSError when there is none."""
        url = f"http://{self.address}{path}"
        try:
            with urllib.request.urlopen(url, timeout=_ASK_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    @property
    def runs(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.exit_code is None

    @property
    def pid(self) -> int | None:
        """The process id, where it was started and not stopped or killed since."""
        return None if self._process is None else self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends the process a signal that it lives on after."""
        self._running.signal(number)

    def ensure_running(self) -> None:
        """Raises RuntimeError with the end of the log of a process that has ended."""
        if self._running.exit_code is not None:
            raise RuntimeError(f"the service ended with {self._running.exit_code}:\n{self.tail()}")

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-4000:]

    @property
    def _running(self) -> ServerProcess:
        assert self._process is not None
        return self._process


def run_to_end(settings: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs a subcommand to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=dict(settings),
        cwd="/",
        capture_output=True,
        check=False,
        text=True,
        timeout=START_SECONDS,
    )
