"""A service of several processes."""

import psutil

from service.embedded.process import ServerProcess
from tests.e2e.process import COMMAND, Service

WORKERS = 3


class Crewed(Service):
    """A service with several workers; `_process` is the first of its processes."""

    def start(self) -> None:
        """Starts all processes and returns at once."""
        command = [*COMMAND, "run", "--roles", self.roles, "--workers", str(WORKERS)]
        self._process = ServerProcess(command, log=self.log, environment=self._settings)

    def others(self) -> list[psutil.Process]:
        """The processes beside the first."""
        return psutil.Process(self._running.pid).children()
