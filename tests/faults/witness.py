"""Reads every topic while the run goes on, as a consumer of the service would, and hands the records to the checker."""

import asyncio
import itertools
import time
from bisect import bisect_right
from collections.abc import Callable
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from tests.e2e.broker import OUTPUTS, PARTITIONS, Broker
from tests.faults.checker import Checker
from tests.faults.evidence import COMMANDS, Event, Lane, boil_down

_MAX_FETCH = 4 << 20
_POLL_MS = 100
_ASK_SECONDS = 5.0


class Arrivals:
    """The moments (monotonic) in which something was read for the first time."""

    def __init__(self) -> None:
        self._moments: list[float] = []

    def note(self) -> None:
        """Something came just now."""
        self._moments.append(time.monotonic())

    def first_after(self, moment: float) -> float | None:
        """The first one after a moment."""
        found = bisect_right(self._moments, moment)
        return self._moments[found] if found < len(self._moments) else None

    def longest_silence(self, begin: float, end: float) -> float:
        """The longest time between two moments in which nothing came."""
        inside = self._moments[bisect_right(self._moments, begin) : bisect_right(self._moments, end)]
        return max(later - earlier for earlier, later in itertools.pairwise([begin, *inside, end]))


class Witness:
    """A consumer of all partitions of all topics, on connections of its own; use as an async context manager."""

    def __init__(
        self, broker: Broker, hear: Callable[[Event], None] = lambda _: None, *, signing: bool = False
    ) -> None:
        """`hear` is told of every event; with `signing` senders are held to it."""
        self.checker = Checker(signing=signing)
        self._hear = hear
        self._broker = broker
        self.events = Arrivals()
        self.timers = Arrivals()
        self._reached: dict[Lane, int] = {}
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_MAX_FETCH,
            metadata_max_age_ms=5_000,
            request_timeout_ms=10_000,
        )
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._partitions())
        self._reading = asyncio.create_task(self._read(), name="witness")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._consumer.stop()

    def command_ends(self) -> dict[Lane, int]:
        """How far the command topics were read."""
        return {lane: offset for lane, offset in self._reached.items() if lane[0] in COMMANDS}

    async def has_read_all(self) -> bool:
        """Whether nothing lies on the topics that was not read."""
        if self._reading is not None and self._reading.done():
            await self._reading
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                ends = await self._consumer.end_offsets(self._partitions())
        except (KafkaError, TimeoutError):
            return False
        return all(self._reached.get(self._lane(where), 0) == end for where, end in ends.items())

    async def _read(self) -> None:
        while True:
            try:
                found = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=2_000)
            except KafkaError:
                continue
            fresh, timers = self.checker.fresh, self.checker.timers
            for where, records in found.items():
                lane = self._lane(where)
                for record in records:
                    evidence = boil_down(lane[0], record)
                    self.checker.take(evidence)
                    if isinstance(evidence, Event):
                        self._hear(evidence)
                    self._reached[lane] = record.offset + 1
                await asyncio.sleep(0)
            if self.checker.fresh > fresh:
                self.events.note()
            if self.checker.timers > timers:
                self.timers.note()

    def _lane(self, where: TopicPartition) -> Lane:
        return where.topic.removeprefix(self._broker.prefix), where.partition

    def _partitions(self) -> list[TopicPartition]:
        return [
            TopicPartition(self._broker.prefix + topic, number)
            for topic in (*COMMANDS, *OUTPUTS)
            for number in range(PARTITIONS)
        ]
