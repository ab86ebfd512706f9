"""What runs in this process, and what is known about it: alive, ready, and the gauges.

Alive: every loop goes round. Waiting for PostgreSQL or Kafka is going round, since a restart would mend neither.
Ready: what the process needs has answered lately, and no partition of its own stands still. A standby is ready.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from service.clock.clock import Clock
from service.clock.housekeeping import survey_inbox
from service.clock.survey import survey_timers
from service.relay.relay import Relay
from service.relay.survey import survey_outbox
from service.telemetry import names
from service.telemetry.meters import Meters, Reading
from service.telemetry.pulse import Check
from service.telemetry.traces import Traces

if TYPE_CHECKING:
    from service.consume.consumer import Consumer
    from service.consume.health import ConsumerHealth

# Longer than any single statement may take (60 s) or a connection may be tried for (40 s).
STUCK_SECONDS: Final = 120.0
SILENT_SECONDS: Final = 15.0
ASK_EVERY: Final = 3.0
ASK_WITHIN: Final = 3.0
SURVEY_EVERY: Final = 5.0
POSTGRESQL: Final = "PostgreSQL"
KAFKA: Final = "Kafka"


@dataclass(slots=True)
class Parts:
    """The loops of this process; `checks` ask what it depends on, `surveys` measure what only a query tells."""

    pool: "asyncpg.Pool[Any]"
    meters: Meters = field(default_factory=Meters)
    consumer: "Consumer | None" = None
    relay: Relay | None = None
    clock: Clock | None = None
    traces: Traces | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    surveys: list[Check] = field(default_factory=list)
    began: bool = False
    ending: bool = False
    _asking: list[asyncio.Task[None]] = field(default_factory=list)

    def not_live(self) -> list[str]:
        """What has ended or does not go round any more."""
        problems = [f"the {task.get_name()} has ended" for task in self.tasks if task.done() and not self.ending]
        if self.began:
            stuck = ((loop, age) for (loop,), age in self.loop_ages().items() if age > STUCK_SECONDS)
            problems += [f"the loop {loop} has stood still for {age:.0f} s" for loop, age in stuck]
        return problems

    def not_ready(self) -> list[str]:
        """What keeps this process from taking work."""
        if not self.began:
            return ["starting: PostgreSQL has not shown its schema yet"]
        problems = [*self.not_live(), *(check.problem for check in self.checks if check.problem is not None)]
        if self.consumer is not None:
            problems += _not_consuming(self.consumer.health)
        if self.relay is not None and not self.relay.health.connected:
            return [*problems, "the relay waits for Kafka"]
        for name, part in (("relay", self.relay), ("clock", self.clock)):
            if part is not None and part.health.beat_age() > SILENT_SECONDS:
                problems.append(f"the {name} has had no session with PostgreSQL lately")
        return problems

    def loop_ages(self) -> Reading:
        """Seconds since each loop went round; a consumer that has a batch in hand asks for no records."""
        ages: dict[tuple[str, ...], float] = {}
        if self.consumer is not None:
            health = self.consumer.health
            running = health.batch_age()
            ages["consumer",] = 0.0 if running is not None else health.poll_age() or 0.0
            ages["batch",] = 0.0 if running is None else min(running, health.pulse.age())
        for name, part in (("relay", self.relay), ("clock", self.clock)):
            if part is not None:
                ages[name,] = part.health.pulse.age()
        return ages

    def watch(self) -> None:
        """Says what is asked and measured; call it when the parts are complete."""
        self.checks = list(self._checks())
        self.surveys = list(self._surveys())
        meters, pool = self.meters, self.pool
        meters.watch(names.LOOP_AGE, self.loop_ages)
        meters.watch(names.DEPENDENCY_UP, self._dependencies)
        meters.watch(names.DATABASE_POOL, lambda: _connections(pool))
        if self.consumer is not None:
            consumer = self.consumer.health
            meters.watch(names.CONSUMER_PARTITIONS, lambda: _partitions(consumer))
            meters.watch(names.PAUSED, lambda: {(): consumer.paused is not None})
        if self.relay is not None:
            relay = self.relay.health
            meters.watch(names.RELAY_OWNER, lambda: {(): relay.owner})
            meters.watch(names.RELAY_HELD, lambda: {(): len(relay.problems)})
        if self.clock is not None:
            clock = self.clock.health
            meters.watch(names.CLOCK_OWNER, lambda: {(): clock.owner})

    def begin(self) -> None:
        """The loops have been started: judge them from now on, ask and measure."""
        self.began = True
        for checks, every in ((self.checks, ASK_EVERY), (self.surveys, SURVEY_EVERY)):
            self._asking += [asyncio.create_task(check.run(every, ASK_WITHIN), name=check.name) for check in checks]

    async def end(self) -> None:
        """Ask nothing any more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _checks(self) -> Iterator[Check]:
        yield Check.of(POSTGRESQL, self._ask_postgresql)
        # Each role has connections of its own.
        if self.consumer is not None:
            yield Check.of(KAFKA, self.consumer.ask_kafka)
        if self.relay is not None:
            yield Check.of(KAFKA, self.relay.ask_kafka)

    def _surveys(self) -> Iterator[Check]:
        if self.relay is not None:
            relay = self.relay.health
            yield Check.of("the outbox", lambda: survey_outbox(self.pool, self.meters, relay.low, count=relay.owner))
        if self.clock is not None:
            clock = self.clock.health
            yield Check.of("the inbox", lambda: survey_inbox(self.pool, self.meters))
            yield Check.of("the timers", lambda: survey_timers(self.pool, self.meters, count=clock.owner))

    async def _ask_postgresql(self) -> None:
        await self.pool.fetchval("SELECT 1")

    def _dependencies(self) -> Reading:
        asked = {check.name for check in self.checks}
        down = {check.name for check in self.checks if check.problem is not None}
        return {(name.lower(),): name not in down for name in asked}


def _not_consuming(health: "ConsumerHealth") -> Iterator[str]:
    if not health.started:
        yield "the consumer does not run yet"
    if health.paused is not None:
        yield health.paused
    elif health.unplaced:
        yield f"the positions of {len(health.unplaced)} partitions are not known yet"
    yield from health.stopped.values()
    if health.last_error is not None:
        yield health.last_error


def _partitions(health: "ConsumerHealth") -> Reading:
    return {("moving",): len(health.positions), ("waiting",): len(health.unplaced), ("stopped",): len(health.stopped)}


def _connections(pool: "asyncpg.Pool[Any]") -> Reading:
    opened, idle = pool.get_size(), pool.get_idle_size()
    return {("busy",): opened - idle, ("idle",): idle, ("unopened",): pool.get_max_size() - opened}
