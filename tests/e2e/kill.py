"""The judged run: commands with repeats while the service is killed, then every promise is checked.

    python -m tests.e2e.kill --commands 100000

starts servers of its own; `--bootstrap` and `--database-url` take those that run already.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer

from service.embedded import EmbeddedPostgres
from service.store.migrate import migrate
from tests.e2e.broker import Broker, Sent, configure, record_of
from tests.e2e.checker import EVENTS, check, told
from tests.e2e.model import Model
from tests.e2e.process import Service, environment
from tests.e2e.store import check_store, is_settled, progress
from tests.e2e.workload import LOCATION, Workload, things
from tests.support.kafka_jars import JarKafka, fetch_jars
from tests.support.wait import until

ACCOUNT = "acc-judge"
RECOVERY_SECONDS = 60.0
_IN_FLIGHT = 2_000
_AHEAD = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent and when the process is killed: each time so many records have been consumed."""

    commands: int
    aggregates: int
    seed: int
    kills: tuple[int, ...]


def plan(commands: int, seed: int, kills: int = 3, aggregates: int = 400) -> Plan:
    """Seeded random moments, one in each of equal parts of the run."""
    chance = random.Random(seed)  # noqa: S311
    part = commands * 0.85 / kills
    moments = tuple(int(part * number + part * chance.uniform(0.2, 0.9)) for number in range(kills))
    return Plan(commands, aggregates, seed, moments)


@dataclass(slots=True)
class Report:
    """Figures of a run, and what was wrong."""

    plan: Plan
    distinct: int = 0
    events: int = 0
    results: int = 0
    doubled: int = 0
    seconds: float = 0.0
    published: list[float] = field(default_factory=list)
    consumed: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        down = sum(self.consumed)
        pace = self.plan.commands / self.seconds
        running = self.plan.commands / max(self.seconds - down, 0.001)
        return "\n".join(
            (
                f"records sent: {self.plan.commands} ({self.distinct} commands and repeats), seed {self.plan.seed}",
                f"killed at records: {', '.join(map(str, self.plan.kills))}",
                f"seconds from each kill to the next event: {_seconds(self.published)}",
                f"seconds from each kill to the next command consumed: {_seconds(self.consumed)}",
                f"events: {self.events}, results: {self.results}, published twice after a kill: {self.doubled}",
                f"{self.seconds:.1f} s in all: {pace:.0f} commands/s, {running:.0f} without the time of recovery",
                f"violations: {len(self.wrong)}",
                told(self.wrong),
            )
        )


def _seconds(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


class Judge:
    """One run on servers that are there; the database is migrated, the topics are not there yet."""

    def __init__(self, broker: Broker, database_url: str, chosen: Plan, directory: Path) -> None:
        self._broker = broker
        self._database_url = database_url
        self._plan = chosen
        self._service = Service(environment(broker, database_url), directory)
        self._model = Model(ACCOUNT)
        self._allowed = 0
        self._more = asyncio.Event()

    async def run(self) -> Report:
        """Sends, kills, waits until everything is settled, and checks."""
        await self._broker.make_topics()
        connection = await asyncpg.connect(self._database_url)
        try:
            with self._service:
                await self._service.ready()
                await self._broker.send([configure(ACCOUNT, LOCATION)])
                await until(lambda: is_settled(connection, 1))
                return await self._judge(connection)
        finally:
            await connection.close()

    async def _judge(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Report:
        report = Report(self._plan)
        begin = time.monotonic()
        async with (
            asyncio.TaskGroup() as tasks,
            AIOKafkaConsumer(bootstrap_servers=self._broker.bootstrap, enable_auto_commit=False) as counter,
        ):
            sending = tasks.create_task(self._send())
            for moment in self._plan.kills:
                self._allow(moment + int(self._plan.commands * _AHEAD))
                await until(lambda moment=moment: self._passed(connection, moment), RECOVERY_SECONDS)  # type: ignore[misc]
                published, consumed = await self._kill(counter, connection)
                report.published.append(published)
                report.consumed.append(consumed)
            self._allow(self._plan.commands)
            await sending
            await until(lambda: is_settled(connection, self._plan.commands + 1), RECOVERY_SECONDS)
        report.seconds = time.monotonic() - begin
        seen = await self._broker.read()
        expected = self._model.expected
        report.distinct, report.events = len(expected.outcomes), sum(one.topic in EVENTS for one in seen)
        report.results = sum(one.topic == "command-results" for one in seen)
        report.doubled = report.events - len({one.header("ce_id") for one in seen if one.topic in EVENTS})
        report.wrong = check(expected, seen) + await check_store(connection, expected, seen, configured=1)
        return report

    async def _send(self) -> None:
        """Sends as far as allowed, so that every kill finds work under way and more to come."""
        workload = Workload(ACCOUNT, self._plan.commands, things(self._plan.aggregates), self._plan.seed)
        async with self._broker.producer() as producer:
            waiting: list[asyncio.Future[object]] = []
            for number, command in enumerate(workload):
                while number >= self._allowed:
                    self._more.clear()
                    await self._more.wait()
                self._model.send(command)
                record: Sent = record_of(command)
                waiting.append(await self._broker.hand_over(producer, record))
                if len(waiting) >= _IN_FLIGHT:
                    await asyncio.gather(*waiting)
                    waiting.clear()
            await asyncio.gather(*waiting)

    def _allow(self, records: int) -> None:
        self._allowed = min(max(records, self._allowed), self._plan.commands)
        self._more.set()

    async def _passed(self, connection: "asyncpg.Connection[asyncpg.Record]", moment: int) -> bool:
        return await progress(connection) > moment

    async def _kill(
        self, counter: AIOKafkaConsumer, connection: "asyncpg.Connection[asyncpg.Record]"
    ) -> tuple[float, float]:
        """Kills and starts again; gives the seconds until an event appears, and until a command is consumed."""
        killed = time.monotonic()
        await asyncio.to_thread(self._service.kill)
        events, position = await self._broker.count_with(counter, EVENTS), await progress(connection)
        self._service.start()
        # What was allowed before may all be consumed and published by now.
        self._allow(position + int(self._plan.commands * _AHEAD))

        async def published() -> bool:
            self._service.ensure_running()
            return await self._broker.count_with(counter, EVENTS) > events

        async def since_kill(condition: Callable[[], Awaitable[bool]]) -> float:
            await until(condition, RECOVERY_SECONDS)
            return time.monotonic() - killed

        return await asyncio.gather(since_kill(published), since_kill(lambda: self._passed(connection, position)))


def main(arguments: Iterable[str] | None = None) -> int:
    """Runs by hand; exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--aggregates", type=int, default=600)
    parser.add_argument("--bootstrap", help="a Kafka that runs already")
    parser.add_argument("--database-url", help="an empty database of a PostgreSQL that runs already")
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bootstrap, database_url = chosen.bootstrap, chosen.database_url
        if bootstrap is None:
            fetch_jars()
            bootstrap = stack.enter_context(JarKafka()).bootstrap
        if database_url is None:
            database_url = stack.enter_context(EmbeddedPostgres()).url
        broker = Broker(bootstrap, f"judge{os.urandom(3).hex()}.")
        what = plan(chosen.commands, chosen.seed, chosen.kills, chosen.aggregates)
        report = asyncio.run(_migrated(broker, database_url, what, directory))
    sys.stdout.write(f"{report}\n")
    return 1 if report.wrong else 0


async def _migrated(broker: Broker, database_url: str, what: Plan, directory: Path) -> Report:
    await migrate(database_url)
    return await Judge(broker, database_url, what, directory).run()


if __name__ == "__main__":
    sys.exit(main())
