"""Sends the traffic through every outage; on a final failure with a new producer, and once more."""

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.e2e.broker import Broker, Sent

_TICK = 0.05
_MOST_UNDER_WAY = 5_000
_STOP_SECONDS = 5.0
# How much of the pace is left to a sender that is ahead: enough to see whether the service goes on.
_AHEAD = 0.2


@dataclass(slots=True)
class Habits:
    """Bad habits of a sender, while they last."""

    doubles: bool = False
    shuffles: bool = False


class Sender:
    """A producer with a pace; `acknowledged` counts what Kafka has taken for good."""

    def __init__(self, broker: Broker, records: Iterator[Sent], pace: float, seed: int) -> None:
        """Sends `pace` records a second, and fewer once `share` of them all are sent."""
        self.habits = Habits()
        self.acknowledged = 0
        self.sent = 0
        self.share: float | None = None
        self._broker = broker
        self._records = records
        self._pace = pace
        self._chance = random.Random(seed)  # noqa: S311
        self._again: deque[Sent] = deque()
        self._under_way: dict[asyncio.Future[object], Sent] = {}
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, most: int | None = None) -> None:
        """Begin; end by itself after `most` records."""
        self._task = asyncio.create_task(self._run(most), name="sender")

    async def stop(self) -> None:
        """Send nothing new, and return when everything sent was acknowledged."""
        self._stopping.set()
        await self.finished()

    async def finished(self) -> None:
        """Return when everything that was to be sent is acknowledged."""
        if self._task is not None:
            await self._task

    @property
    def done(self) -> bool:
        """Whether nothing more is sent."""
        return self._task is not None and self._task.done()

    async def _run(self, most: int | None) -> None:
        producer = await self._new_producer()
        loop = asyncio.get_running_loop()
        before, credit = loop.time(), 0.0
        try:
            while self._again or self._under_way or self._wants_more(most):
                if await self._failed():
                    await _discard(producer)
                    producer = await self._new_producer()
                before, passed = loop.time(), loop.time() - before
                credit += passed * self._pace * (_AHEAD if self._is_ahead(most) else 1.0)
                due = int(credit)
                if self._wants_more(most) and due > 0 and len(self._under_way) < _MOST_UNDER_WAY:
                    batch = list(itertools.islice(self._records, min(due, most - self.sent if most else due)))
                    credit -= due
                    self.sent += len(batch)
                    self._again.extend(self._habitually(batch))
                await self._hand_over(producer)
                await asyncio.sleep(_TICK)
        finally:
            await _discard(producer)

    def _wants_more(self, most: int | None) -> bool:
        return not self._stopping.is_set() and (most is None or self.sent < most)

    def _is_ahead(self, most: int | None) -> bool:
        return most is not None and self.share is not None and self.sent > self.share * most

    def _habitually(self, batch: list[Sent]) -> list[Sent]:
        if self.habits.doubles:
            batch = [record for record in batch for _ in range(2)]
        if self.habits.shuffles:
            self._chance.shuffle(batch)
        return batch

    async def _hand_over(self, producer: AIOKafkaProducer) -> None:
        while self._again:
            record = self._again[0]
            try:
                async with asyncio.timeout(_TICK * 10):
                    future = await self._broker.hand_over(producer, record)
            except (TimeoutError, KafkaError):
                return
            self._again.popleft()
            self._under_way[future] = record

    async def _failed(self) -> bool:
        """Counts what is acknowledged; what failed for good is sent again, in its order, by a new producer."""
        done = [future for future in self._under_way if future.done()]
        failed = {future for future in done if future.cancelled() or future.exception() is not None}
        self.acknowledged += len(done) - len(failed)
        for future in done:
            if future not in failed:
                del self._under_way[future]
        if failed:
            self._again.extendleft(reversed(self._under_way.values()))
            self._under_way.clear()
        return bool(failed)

    async def _new_producer(self) -> AIOKafkaProducer:
        while True:
            producer = self._broker.producer()
            try:
                await producer.start()
            except (KafkaError, OSError):
                await _discard(producer)
                await asyncio.sleep(_TICK * 4)
            else:
                return producer


async def _discard(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await producer.stop()
    except (TimeoutError, KafkaError):
        await producer.client.close()
