"""The consumer as the application holds it: waits for Kafka, runs the subscriber, stops without losing a batch."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from service.consume import fetched
from service.consume.assignment import Assignment
from service.consume.batch import BatchHandler, Transaction
from service.consume.broker import DRAIN_SECONDS, REBALANCE_TIMEOUT_MS, build_broker
from service.consume.health import ConsumerHealth
from service.consume.kafka_commit import Commits
from service.consume.lag import LagProbe
from service.consume.misplaced import Misplaced
from service.consume.patient_poll import poll_patiently
from service.consume.pause_watch import PauseWatch
from service.consume.quiet import quieten
from service.consume.ready import wait_for_kafka
from service.telemetry.lookout import Lookout
from service.telemetry.meters import Meters
from service.telemetry.names import MISPLACED
from service.telemetry.pulse import Pulse

log = logging.getLogger(__name__)

# What is left of the rebalance timeout after the drain is for the commit and the way to the broker.
_DRAIN_ON_REVOKE = REBALANCE_TIMEOUT_MS / 1000 - 5
_BEAT = 0.5


class Consumer:
    """Consumes `topics` (logical names) as a member of a group, from the offsets in PostgreSQL."""

    def __init__(
        self,
        *,
        options: Mapping[str, Any],
        pool: "asyncpg.Pool[asyncpg.Record]",
        transaction: Transaction,
        topics: Sequence[str],
        group_id: str,
        group_instance_id: str | None = None,
        prefix: str = "",
        wake: Callable[[], None] = lambda: None,
        max_records: int = 2_500,
        meters: Meters | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        """`options` are every Kafka client's; `pulse` is the transaction's, where it has one."""
        self.health = ConsumerHealth(pulse=pulse or Pulse())
        meters = meters or Meters()
        meters.expect(MISPLACED, ((topic,) for topic in topics))
        self._topics = [prefix + topic for topic in topics]
        self._options = options
        self._commits = Commits(self._find)
        # Its calls are cancelled when they take too long, which could leave the consumer itself stuck.
        self._places = Lookout(self._options)
        self._assignment = Assignment(
            pool=pool,
            prefix=prefix,
            consumer=self._find,
            commits=self._commits,
            lookout=self._places,
            health=self.health,
            drain_seconds=_DRAIN_ON_REVOKE,
        )
        self._pauses = PauseWatch(pool, self._assignment, self.health)
        self.broker: KafkaBroker
        self._consumer: Callable[[], AIOKafkaConsumer | None]
        self.broker, self._consumer = build_broker(
            options=options,
            topics=self._topics,
            group_id=group_id,
            group_instance_id=group_instance_id,
            handle=BatchHandler(
                self._assignment,
                transaction,
                prefix,
                self.health,
                wake,
                Misplaced(self._find, meters, prefix),
                self._fetch_next,
            ),
            listener=self._assignment,
        )
        poll_patiently(self.broker, self.health, max_records, prefix)
        self._lookout = Lookout(self._options)
        self.ask_kafka = LagProbe(self.health, self._lookout, meters, TopicPartition(self._topics[0], 0), prefix)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Wait for Kafka and the topics, for as long as it takes, then join the group."""
        while True:
            await self.prepare()
            try:
                await self.broker.start()
                break
            except (KafkaError, OSError) as error:
                log.warning("Kafka went away during the start, trying again: %r", error)
                await self.broker.stop()
        await self.started()

    async def stop(self) -> None:
        """Let the running batch end (30 s at most), commit to Kafka, leave the group."""
        await self.drain()
        await self.broker.stop()

    async def prepare(self) -> None:
        """Before the broker starts: wait for Kafka and the topics, since FastStream would exit or hang."""
        fetched.install()
        quieten()
        await wait_for_kafka(self._options, self._topics)

    async def started(self) -> None:
        """After the broker has started: look after commits and the poll loop."""
        loops = (self._commits.run(), self._watch(), self._pauses.run())
        self._tasks = [asyncio.create_task(loop) for loop in loops]
        self.health.started = True

    async def drain(self) -> None:
        """Before the broker stops: let the running batch end (25 s at most) and commit to Kafka."""
        self.health.started = False
        self._assignment.close()
        drained = await self._drained()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._lookout.close()
        await self._assignment.release()
        await self._places.close()
        if drained:
            self._assignment.lock.release()

    async def _drained(self) -> bool:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                return await self._assignment.lock.acquire()
        except TimeoutError:
            log.warning("the running batch did not end within %.0f s and is given up", DRAIN_SECONDS)
            return False

    async def _watch(self) -> None:
        while True:
            consumer = self._find()
            if consumer is not None:
                # aiokafka's own measure behind max.poll.interval.ms; its public timestamps freeze in an outage.
                self.health.polled(consumer._subscription.fetcher_idle_time)  # noqa: SLF001
            await asyncio.sleep(_BEAT)

    def _fetch_next(self) -> None:
        consumer = self._find()
        if consumer is not None:
            consumer._fetcher.fetch_next()  # noqa: SLF001  the one that `fetched` puts there

    def _find(self) -> AIOKafkaConsumer | None:
        return self._consumer()
