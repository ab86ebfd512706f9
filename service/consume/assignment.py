"""Which partitions are ours and where each goes on; drains the running batch before any is given up."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from service.backoff import Backoff
from service.consume.health import ConsumerHealth
from service.consume.kafka_commit import Commits
from service.consume.positions import Place, read_places
from service.record import Record
from service.telemetry.lookout import Lookout
from service.telemetry.told import told

log = logging.getLogger(__name__)

# No heartbeat is sent while the assigned callback runs, so it must end well within the session timeout (6 s).
_PLACING_IN_CALLBACK = 2.0
_PLACING = 5.0
_RECHECK_STOPPED = 10.0
_UNAVAILABLE = (KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Positions of the assigned partitions, kept in memory while PostgreSQL's `progress` is the truth.

    A partition without a position is paused and nothing of it is handled, until a background task has read its
    progress and sought to it. `lock` is held while a batch is handled and while partitions are given up. On hold, no
    partition has a position, and none is read.
    """

    def __init__(
        self,
        *,
        pool: "asyncpg.Pool[asyncpg.Record]",
        prefix: str,
        consumer: Callable[[], AIOKafkaConsumer | None],
        commits: Commits,
        lookout: Lookout,
        health: ConsumerHealth,
        drain_seconds: float,
    ) -> None:
        self.lock = asyncio.Lock()
        self.leaving = asyncio.Event()
        self._pool = pool
        self._prefix = prefix
        self._consumer = consumer
        self._commits = commits
        self._lookout = lookout
        self._health = health
        self._drain_seconds = drain_seconds
        self._positions = health.positions
        self._stopped = health.stopped
        self._unplaced: set[TopicPartition] = set()
        self._work = asyncio.Event()
        self._placed = asyncio.Event()
        self._proceed = asyncio.Event()
        self._proceed.set()
        self._placing: asyncio.Task[None] | None = None
        self._closed = False

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:  # noqa: ARG002  always all
        """Let the running batch end, commit to Kafka, and forget every position; heartbeats go on meanwhile."""
        self.leaving.set()
        await self._stop_placing()
        drained = await self._drain()
        try:
            await self._commits.flush()
        finally:
            self._forget_all()
            if drained:
                self.lock.release()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause what came and read where to go on; what cannot be read in time is read in the background."""
        await self._stop_placing()
        self._forget_all()
        if self._closed:
            return
        self.leaving.clear()
        self._health.assigned = frozenset(assigned)
        consumer = self._consumer()
        if not assigned or consumer is None:
            return
        consumer.pause(*assigned)
        self._unplaced = set(assigned)
        self._placed.clear()
        self._placing = asyncio.create_task(self._place_for_ever(consumer), name="positions")
        if not self._proceed.is_set():
            return
        try:
            async with asyncio.timeout(_PLACING_IN_CALLBACK):
                await self._placed.wait()
        except TimeoutError:
            log.warning("the positions of %d partitions are still to be read; they wait", len(self._unplaced))

    def close(self) -> None:
        """Begin no batch any more; the running one ends, or gives up at its next pause."""
        self._closed = True
        self.leaving.set()

    async def release(self) -> None:
        """Commit to Kafka and forget every position; the caller has waited for the running batch."""
        await self._stop_placing()
        await self._commits.flush()
        self._forget_all()

    def position(self, partition: TopicPartition) -> int | None:
        """The next offset to handle; None while nothing of the partition may be handled."""
        return self._positions.get(partition)

    def advance(self, partition: TopicPartition, expected: int, following: int) -> None:
        """Move a position that is still where the batch found it."""
        if self._positions.get(partition) == expected:
            self._positions[partition] = following
            self._commits.remember(partition, following)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Handle nothing more of these partitions until their progress has been read again."""
        ours = [each for each in partitions if self._positions.pop(each, None) is not None]
        consumer = self._consumer()
        if not ours or consumer is None:
            return
        consumer.pause(*[each for each in ours if each in consumer.assignment()])
        self._unplaced.update(ours)
        self._work.set()

    def hold(self, why: str) -> None:
        """Handle nothing more of any partition until it may go on; a batch that runs ends, heartbeats go on."""
        self._health.paused = why
        if self._proceed.is_set():
            self._proceed.clear()
            self._health.resting = dict(self._positions)
            self.forget(list(self._positions))

    def proceed(self) -> None:
        """Go on where progress says."""
        self._health.paused = None
        if not self._proceed.is_set():
            self._proceed.set()
            self._work.set()

    async def admit(self, partition: TopicPartition, run: Sequence[Record]) -> int | None:
        """The position that this run of records continues, or None when it must be dropped.

        Dropped is what was fetched before the last seek, or for a partition that is not ours any more. Records that lie
        elsewhere than expected are dropped too, and the position is read again, unless the log itself has a gap there
        (transaction markers take offsets).
        """
        position = self._positions.get(partition)
        consumer = self._consumer()
        if position is None or consumer is None or partition not in consumer.assignment():
            return None
        # Asks nobody: where the position is not known, it waits for the fetch loop to set it.
        if await consumer.position(partition) <= run[-1].offset:
            return None
        first = run[0].offset
        if first == position:
            return position
        begin = (await self._lookout.ask(lambda client: client.beginning_offsets([partition])))[partition]
        if first < position or begin > position:
            log.warning("%s/%d: expected offset %d, got %d; reading its progress again", *partition, position, first)
            self.forget([partition])
            return None
        return position

    async def _drain(self) -> bool:
        try:
            async with asyncio.timeout(self._drain_seconds):
                return await self.lock.acquire()
        except TimeoutError:
            # The batch goes on; should it still commit, progress guards it: the next owner reads it or takes its place.
            log.warning("the running batch did not end within %.0f s; giving the partitions up", self._drain_seconds)
            return False

    def _forget_all(self) -> None:
        self._positions.clear()
        self._stopped.clear()
        self._unplaced.clear()
        self._health.assigned = frozenset()
        # What kept these partitions waiting is their next owner's affair.
        self._health.last_error = None
        self._health.handled_until.clear()
        self._health.resting.clear()

    async def _stop_placing(self) -> None:
        if self._placing is not None:
            self._placing.cancel()
            await asyncio.gather(self._placing, return_exceptions=True)
            self._placing = None

    async def _place_for_ever(self, consumer: AIOKafkaConsumer) -> None:
        backoff = Backoff()
        while True:
            await self._proceed.wait()
            try:
                await self._place(consumer, self._unplaced | self._stopped.keys())
            except _UNAVAILABLE as error:
                self._health.last_error = f"positions cannot be read: {told(error)}"
                log.warning("positions cannot be read, trying again: %r", error)
                await asyncio.sleep(backoff.next())
                continue
            except Exception:
                log.exception("reading positions failed, trying again")
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            self._health.last_error = None
            self._placed.set()
            await self._wait_for_work()

    async def _wait_for_work(self) -> None:
        if self._unplaced:
            return
        self._work.clear()
        try:
            async with asyncio.timeout(_RECHECK_STOPPED if self._stopped else None):
                await self._work.wait()
        except TimeoutError:
            pass

    async def _place(self, consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> None:
        if not partitions:
            return
        places = await read_places(self._pool, self._lookout, list(partitions), self._prefix, _PLACING)
        if not self._proceed.is_set():
            return
        self._health.resting.clear()
        for partition, place in places.items():
            if partition in consumer.assignment():
                self._go_on(consumer, partition, place)

    def _go_on(self, consumer: AIOKafkaConsumer, partition: TopicPartition, place: Place) -> None:
        problem = place.problem
        self._unplaced.discard(partition)
        if problem is not None:
            if self._stopped.get(partition) != problem:
                log.error("%s", problem)
            self._stopped[partition] = problem
            consumer.pause(partition)
            return
        if self._stopped.pop(partition, None) is not None:
            log.warning("%s/%d goes on at offset %d", *partition, place.next)
        consumer.seek(partition, place.next)
        self._positions[partition] = place.next
        consumer.resume(partition)
