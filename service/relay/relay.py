"""The relay's loop: own the shard, read, send, delete; over again."""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from aiokafka import TopicPartition

from schemas.headers import BOOKING_EVENTS
from service.backoff import Backoff
from service.relay.holds import Lane
from service.relay.producer import Producer
from service.relay.publish import Publisher
from service.relay.survey import append_times, sampled_traceparents
from service.relay.sweep import Sweeper
from service.relay.window import Row, Window
from service.store.lease import HEARTBEAT_SECONDS, LOST, Lease, held_lease, wait_for_event
from service.telemetry.lookout import Lookout
from service.telemetry.meters import Meters
from service.telemetry.names import EVENT_LATENCY, RELAY_PUBLISHED
from service.telemetry.pulse import Pulse
from service.telemetry.traces import Traces

log = logging.getLogger(__name__)

_BUSY_SECONDS = 0.005
_IDLE_SECONDS = 0.25
_STOP_SECONDS = 10.0
# For what was under way when the lease was lost: nothing of it is sent again, but it may be acknowledged.
_LEFT_SECONDS = 2.0
# While others go on writing: the next owner publishes what they write.
_LAST_SECONDS = 3.0
_TOPIC: Final = attrgetter("topic")


@dataclass(slots=True)
class RelayHealth:
    """Facts that the probes read; `problems` is what keeps rows of a partition waiting now.

    `pulse` beats whenever the loop goes round, also while it waits for PostgreSQL or Kafka. `low` is the outbox's
    proven lower bound, where this process is the owner.
    """

    owner: bool = False
    connected: bool = False
    published: int = 0
    low: int = 0
    last_beat: float = -math.inf
    problems: dict[Lane, str] = field(default_factory=dict)
    pulse: Pulse = field(default_factory=Pulse)

    def beat(self) -> None:
        """Note that the loop is alive and has PostgreSQL."""
        self.last_beat = time.monotonic()
        self.pulse.beat()

    def beat_age(self) -> float:
        """Seconds since the last beat; infinite before the first."""
        return time.monotonic() - self.last_beat


class Relay:
    """Publishes the outbox's rows in order; of several relays on a shard one does, the rest stand by.

    Promised: every row is published at least once, and rows of one aggregate in the order of their numbers, provided
    that whoever wrote the later one could only do so after the earlier one's transaction had ended (a version check).
    A relay that has lost its session sends nothing any more, as soon as it could know (see the producer). A batch that
    was on its way to the broker at that moment may arrive after the next owner has sent the same rows and later ones:
    the same bytes once more, with numbers that consumers have seen.
    """

    def __init__(
        self,
        *,
        database_url: str,
        options: Mapping[str, Any],
        wake: asyncio.Event,
        prefix: str = "",
        idempotent: bool = True,
        shard: int = 0,
        meters: Meters | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.health = RelayHealth()
        self._database_url = database_url
        self._wake = wake
        self._shard = shard
        self._backoff = Backoff()
        self._stopping = asyncio.Event()
        self._stopped_at = 0.0
        self._lookout = Lookout(options)
        self._some = TopicPartition(prefix + BOOKING_EVENTS, 0)
        self._producer = Producer(options, idempotent=idempotent, waiting=self.health.pulse.beat)
        self._publisher = Publisher(self._producer, prefix, self._give_up, self.health.pulse.beat)
        self._sweeper = Sweeper(database_url)
        self._meters = meters or Meters()
        self._meters.expect(EVENT_LATENCY)
        self._traces = traces

    async def run(self) -> None:
        """Relay until `stop` is called; outages of PostgreSQL and of Kafka are waited for."""
        try:
            if not await self._unless_stopped(self._producer.start()):
                return
            self.health.connected = True
            while not self._stopping.is_set():
                try:
                    if self._producer.broken:
                        await self._unless_stopped(self._producer.replace(_LEFT_SECONDS))
                    async with held_lease(
                        self._database_url, "relay", self._shard, self._stopping, self.health.beat
                    ) as lease:
                        if lease is not None:
                            self.health.owner = True
                            await self._own(lease)
                except LOST as error:
                    self.health.pulse.beat()
                    log.warning("no session with PostgreSQL, nothing is sent: %r", error)
                    await wait_for_event(self._stopping, self._backoff.next())
                finally:
                    self.health.owner = False
                    self.health.low = 0
                    self._publisher.forget()
        finally:
            await self._sweeper.stop()
            await self._lookout.close()
            await self._producer.stop(max(1.0, _STOP_SECONDS - self._since_stop()))
            self._publisher.drop_left()

    def stop(self) -> None:
        """Let `run` end when all is published that is there now: 3 s at most, or 10 s for the batch under way."""
        self._stopped_at = time.monotonic()
        self._stopping.set()
        self._wake.set()

    async def ask_kafka(self) -> None:
        """Return when Kafka has answered; raises what aiokafka raises, or waits."""
        if not self._stopping.is_set():
            await self._lookout.ends((self._some,))

    async def _own(self, lease: Lease) -> None:
        window, holds = Window(lease.connection), self._publisher.holds
        self._publisher.drop_left()
        self._producer.serve(lease)
        idle = _BUSY_SECONDS
        while True:
            # What was committed before it was time to stop is read below, and published.
            stopping = self._stopping.is_set()
            self.health.beat()
            self._wake.clear()
            page = await window.read(holds.due())
            self.health.low = holds.first(window.at)
            self._backoff.reset()
            began = time.monotonic()
            outcome = await self._publisher.publish(page, lease)
            if outcome.confirmed:
                await window.delete([row.seq for row in outcome.confirmed])
                self._sweeper.note(len(outcome.confirmed))
                self._count(outcome.confirmed, began)
            self._tell(outcome.problems)
            # A new producer begins once the old one has nothing under way, and the lanes that failed wait for that.
            if self._producer.broken and not self._publisher.has_aside:
                await self._alive(lease, self._producer.replace())
            if outcome.freed:
                window.back_to(page)
            moved = window.pass_by(page, waiting=bool(outcome.problems))
            if (outcome.confirmed or (moved and page.end < math.inf)) and self._since_stop() < _LAST_SECONDS:
                idle = _BUSY_SECONDS
                # Behind the end of the outbox there may be nothing yet: who writes here wakes, others are looked for.
                if page.end < math.inf or stopping:
                    continue
            elif stopping:
                return
            await wait_for_event(self._wake, idle)
            idle = min(idle * 2, _IDLE_SECONDS)

    def _count(self, published: Sequence[Row], began: float) -> None:
        self.health.published += len(published)
        topics = Counter(map(_TOPIC, published))
        for topic, count in topics.items():
            self._meters.add(RELAY_PUBLISHED, count, topic)
        now = time.time()
        ages = [(max(0.0, now - appended), count) for appended, count in append_times(published)]
        self._meters.observe_counted(EVENT_LATENCY, ages)
        if self._traces is not None:
            self._traces.sent(began, topics, sampled_traceparents(published))

    def _tell(self, problems: Mapping[Lane, str]) -> None:
        for lane, problem in problems.items():
            if self.health.problems.get(lane) != problem:
                log.error("%s", problem)
        self.health.problems = dict(problems)

    async def _alive(self, lease: Lease, work: Coroutine[Any, Any, None]) -> None:
        """Do what may take long while the lease is shown alive; it is finished even when the lease is lost."""
        task = asyncio.create_task(work)
        try:
            while not task.done() and not self._give_up():
                await asyncio.wait([task], timeout=HEARTBEAT_SECONDS)
                await lease.beat()
        finally:
            await self._unless_stopped(task)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None] | asyncio.Task[None]) -> bool:
        """Finish the work, or cancel it when it is time to stop; whether it was finished."""
        task = work if isinstance(work, asyncio.Task) else asyncio.create_task(work)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not task.done():
                task.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)
        if task.cancelled():
            return False
        task.result()
        return True

    def _give_up(self) -> bool:
        return self._since_stop() > _STOP_SECONDS

    def _since_stop(self) -> float:
        return time.monotonic() - self._stopped_at if self._stopping.is_set() else 0.0
