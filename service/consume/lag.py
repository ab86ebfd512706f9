"""How far the consumer is behind, in records and in seconds, asked of Kafka in its own time.

aiokafka's own numbers (highwater, position) freeze in an outage and behind a handler that waits, so the ends of the
partitions are asked for, and compared with what is committed in PostgreSQL.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from aiokafka import TopicPartition

from service.consume.health import ConsumerHealth
from service.telemetry.lookout import Lookout
from service.telemetry.meters import Meters
from service.telemetry.names import LAG_RECORDS, LAG_SECONDS

MOST_LOOKS: Final = 1_000


@dataclass(slots=True)
class Waiting:
    """Where a partition's end was when it was looked at: tells since when the record at a position has been there."""

    looks: deque[tuple[float, int]] = field(default_factory=deque)
    caught_up: bool = False

    def seconds(self, now: float, end: int, position: int, handled_until: float | None) -> float:
        """Notes the end, and gives how long the record at the position has waited.

        A record came between the last look whose end was not beyond it and the next. Where there was no such look, the
        service has been behind since before it looked: the record handled last was appended just before this one, and
        where none was handled yet, it is this one's own time that is given.
        """
        if not self.looks or self.looks[-1][1] != end:
            self.looks.append((now, end))
        if len(self.looks) > MOST_LOOKS:
            # Half as fine, and reaching as far back.
            self.looks = deque(list(self.looks)[::2])
        while self.looks and self.looks[0][1] <= position:
            self.looks.popleft()
            self.caught_up = True
        if not self.looks:
            return 0.0
        since = self.looks[0][0]
        if not self.caught_up and handled_until is not None:
            since = min(since, handled_until)
        return max(0.0, now - since)


class LagProbe:
    """Asks for the ends of the assigned partitions and sets the gauges; the answer also shows that Kafka is there."""

    def __init__(
        self,
        health: ConsumerHealth,
        lookout: Lookout,
        meters: Meters,
        some: TopicPartition,
        prefix: str,
    ) -> None:
        """`some` partition is asked about where none is assigned."""
        self._health = health
        self._lookout = lookout
        self._meters = meters
        self._some = some
        self._prefix = prefix
        self._waiting: dict[TopicPartition, Waiting] = {}
        # Append times of records at which partitions stood when they came, while nothing of them is handled.
        self._found: dict[TopicPartition, float] = {}

    async def __call__(self) -> None:
        """Looks once; raises what aiokafka raises, and may wait without limit in an outage."""
        if not self._health.started:
            self._show({})
            return
        assigned = self._health.assigned
        try:
            ends = await self._lookout.ends(assigned or (self._some,))
            await self._find({partition: ends[partition] for partition in assigned})
        except BaseException:
            self._show({})
            raise
        self._show({partition: ends[partition] for partition in assigned})

    async def _find(self, ends: dict[TopicPartition, int]) -> None:
        """Asks since when the next record of a partition waits, where neither a look nor a handled record tells."""
        health = self._health
        self._found = {one: at for one, at in self._found.items() if one in ends and one not in health.handled_until}
        unknown = {
            partition: health.positions[partition]
            for partition in ends.keys() & health.positions.keys() - health.handled_until.keys() - self._found.keys()
            if health.positions[partition] < ends[partition] and not self._has_caught_up(partition)
        }
        if unknown:
            self._found |= await self._lookout.appended_at(unknown)

    def _has_caught_up(self, partition: TopicPartition) -> bool:
        return partition in self._waiting and self._waiting[partition].caught_up

    def _show(self, ends: dict[TopicPartition, int]) -> None:
        now = time.time()
        records: dict[tuple[str, ...], float] = {}
        seconds: dict[tuple[str, ...], float] = {}
        self._waiting = {one: self._waiting.get(one, Waiting()) for one in self._health.assigned}
        for partition, end in ends.items():
            position = self._health.positions.get(partition, self._health.resting.get(partition))
            if position is None or partition not in self._waiting:
                continue
            labels = (partition.topic.removeprefix(self._prefix), str(partition.partition))
            records[labels] = max(0, end - position)
            until = self._health.handled_until.get(partition, self._found.get(partition))
            seconds[labels] = self._waiting[partition].seconds(now, end, position, until)
        self._meters.replace(LAG_RECORDS, records)
        self._meters.replace(LAG_SECONDS, seconds)
