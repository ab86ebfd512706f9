"""The two systems: how each is prepared, started and stopped."""

import os
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from service.cli.run import MOST_WORKERS, processors
from service.embedded.process import LOOPBACK, ServerProcess, free_port
from tests.benchmarks.peer.booking import Booking
from tests.benchmarks.servers import PARTITIONS, Servers
from tests.benchmarks.workload import ACCOUNT, Workload

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 60.0


class System(ABC):
    """One of the systems: its database, its topics, its processes."""

    name: str
    prefix: str

    def __init__(self, servers: Servers, workload: Workload, directory: Path) -> None:
        """Work on these servers and write logs to `directory`."""
        self.servers = servers
        self.workload = workload
        self.database_url = ""
        self.processes: list[ServerProcess] = []
        self._directory = directory
        self._started = 0

    @abstractmethod
    async def prepare(self) -> None:
        """Make the database and the topics."""

    @abstractmethod
    def commands(self) -> list[tuple[list[str], Mapping[str, str]]]:
        """Command line and environment of each process."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """What the table says about how it was run."""

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [process.pid for process in self.processes]

    def start(self) -> None:
        """Start every process."""
        for command, environment in self.commands():
            self._started += 1
            log = self._directory / f"{self.name}-{self._started}.log"
            process = ServerProcess(
                [sys.executable, *command], log=log, environment={**environment, "PYTHONPATH": str(ROOT)}
            )
            self.processes.append(process)

    def stop(self) -> None:
        """Stop every process in good order."""
        for process in self.processes:
            process.signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(STOP_SECONDS)
        self.processes.clear()

    def ensure_running(self) -> None:
        """Raise RuntimeError with the end of the log of a process that has ended."""
        for process in self.processes:
            if process.exit_code is not None:
                raise RuntimeError(f"{self.name} ended with {process.exit_code}:\n{process.tail(4000)}")


class Ours(System):
    """The service, as `python -m service run` starts it."""

    name = "bookstream"
    prefix = "ours."

    def __init__(self, servers: Servers, workload: Workload, directory: Path, workers: int | None) -> None:
        """Run so many worker processes, or as many as it chooses."""
        super().__init__(servers, workload, directory)
        self.workers = workers
        self.signing = False

    async def prepare(self) -> None:
        """Migrate and create the topics by the service's own commands."""
        self.database_url = await self.servers.create_database("bench_ours")
        for step in ("migrate", "topics"):
            self.run(step)

    def run(self, *arguments: str) -> str:
        """Run the command line to its end, and return what it printed; raises RuntimeError where it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            env={**os.environ, **self._environment()},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"`service {' '.join(arguments)}` failed: {done.stdout}{done.stderr}")
        return done.stdout

    def commands(self) -> list[tuple[list[str], Mapping[str, str]]]:
        """One program, which makes its other processes itself."""
        workers = [] if self.workers is None else ["--workers", str(self.workers)]
        return [(["-m", "service", "run", *workers], self._environment())]

    def settings(self) -> dict[str, str]:
        """Processes, and what differs from the defaults."""
        count = self.workers or min(processors(), MOST_WORKERS)
        many = f"{count} with worker, the first of them with relay and clock too"
        return {
            "processes": "one with worker, relay and clock" if count == 1 else many,
            "unit of work": "a polled batch of up to 2,500 records is a transaction",
            "settings": "defaults, BOOKSTREAM_SIGNING=off, BOOKSTREAM_REPLICATION=1, BOOKSTREAM_LOG_LEVEL=WARNING",
            "producer": "acks=all, idempotent",
        }

    def _environment(self) -> dict[str, str]:
        return {
            "BOOKSTREAM_DATABASE_URL": self.database_url,
            "BOOKSTREAM_KAFKA_BOOTSTRAP": self.servers.bootstrap,
            "BOOKSTREAM_TOPIC_PREFIX": self.prefix,
            "BOOKSTREAM_GROUP_ID": self.prefix + "group",
            "BOOKSTREAM_PARTITIONS": str(PARTITIONS),
            "BOOKSTREAM_REPLICATION": "1",
            "BOOKSTREAM_SIGNING": "required" if self.signing else "off",
            "BOOKSTREAM_LOG_LEVEL": "WARNING",
            "BOOKSTREAM_HTTP_ADDRESS": f"{LOOPBACK}:{free_port()}",
        }


class Peer(System):
    """The naive FastStream peer."""

    name = "peer"
    prefix = "peer."

    def __init__(self, servers: Servers, workload: Workload, directory: Path, max_workers: int) -> None:
        """Run one process that handles so many records at once."""
        super().__init__(servers, workload, directory)
        self._max_workers = max_workers

    async def prepare(self) -> None:
        """Make its tables and topics, and put the bookings into the table."""
        self.database_url = await self.servers.create_database("bench_peer")
        await self.servers.create_topics(self.prefix)
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute((ROOT / "tests/benchmarks/peer/schema.sql").read_text(encoding="utf-8"))
            rows = [
                (ACCOUNT, booking_id, 1, Booking.model_validate(state).model_dump_json())
                for booking_id, state in self.workload.stored()
            ]
            await connection.executemany("INSERT INTO booking VALUES ($1, $2, $3, $4)", rows)
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()

    def commands(self) -> list[tuple[list[str], Mapping[str, str]]]:
        """One process."""
        environment = {
            "PEER_DATABASE_URL": self.database_url,
            "PEER_KAFKA_BOOTSTRAP": self.servers.bootstrap,
            "PEER_TOPIC_PREFIX": self.prefix,
            "PEER_MAX_WORKERS": str(self._max_workers),
        }
        return [(["-m", "tests.benchmarks.peer"], environment)]

    def settings(self) -> dict[str, str]:
        """How FastStream is used."""
        return {
            "processes": f"one, max_workers={self._max_workers}, on uvloop, without access log",
            "unit of work": "a record is a transaction of six round trips",
            "settings": "ack_policy=NACK_ON_ERROR (commits to Kafka for each record), pydantic model, KafkaMessage",
            "producer": "polling relay, pages of 100 rows, a publish and a delete for each row, acks=all, idempotent",
        }


def log_directory() -> tempfile.TemporaryDirectory[str]:
    """A place for the logs of the systems, removed at the end."""
    return tempfile.TemporaryDirectory(prefix="bookstream-bench-")
