"""Reads dead letters in bounded memory: a chunk at a time, each partition in its order, up to what is there now."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from schemas import headers as names
from service.cli.connect import Target, assign_topics, require_topics, start_consumer
from service.cli.dlq.letter import Letter, letter_of
from service.consume import fetched

CHUNK: Final = 500
FETCH_BYTES: Final = 16 * 1024 * 1024
WAIT_MS: Final = 1_000


class Scan:
    """Reads the topic of dead letters without being a member of a group. Use as an asynchronous context manager.

    With a `group`, positions are kept under its name: reading goes on where it was noted last.
    """

    def __init__(self, target: Target, group: str | None = None, also: Sequence[str] = ()) -> None:
        """`also` are further topics that must be there."""
        self._target = target
        self._group = group
        self._topics = (names.COMMANDS_DLQ, *also)
        self._consumer: AIOKafkaConsumer = None
        self._begins: Mapping[TopicPartition, int] = {}
        self._ends: Mapping[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        await require_topics(self._target, self._topics)
        fetched.install()
        self._consumer = AIOKafkaConsumer(
            client_id="bookstream-dlq",
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES // 4,
            **self._target.options,
        )
        await start_consumer(self._consumer, self._take_positions)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    @property
    def total(self) -> int:
        """How many offsets the topic holds."""
        return sum(self._ends.values()) - sum(self._begins.values())

    def rewind(self) -> None:
        """Begin at the oldest again."""
        for place, begin in self._begins.items():
            self._consumer.seek(place, begin)

    async def go_on(self) -> int:
        """Place reading where it was noted last, as far as that is there; gives how many offsets lie before."""
        passed = 0
        for place, begin in self._begins.items():
            noted = await self._consumer.committed(place)
            if noted is not None and begin < noted <= self._ends[place]:
                self._consumer.seek(place, noted)
                passed += noted - begin
        return passed

    async def chunks(self) -> AsyncIterator[list[Letter]]:
        """Yields everything that lay there at the start, some hundred at a time."""
        while left := [place for place, end in self._ends.items() if await self._consumer.position(place) < end]:
            found = await self._consumer.getmany(*left, timeout_ms=WAIT_MS, max_records=CHUNK)
            letters = [
                letter_of(record)
                for place, records in found.items()
                for record in records
                if record.offset < self._ends[place]
            ]
            if letters:
                yield letters

    async def note(self, following: Mapping[int, int]) -> None:
        """Keep where reading goes on in these partitions."""
        topic = self._target.prefix + names.COMMANDS_DLQ
        await self._consumer.commit(
            {TopicPartition(topic, number): OffsetAndMetadata(offset, "") for number, offset in following.items()}
        )

    async def find(self, partition: int, offset: int) -> Letter | None:
        """Gives the dead letter at a place of their own topic, if one is there."""
        place = TopicPartition(self._target.prefix + names.COMMANDS_DLQ, partition)
        if not self._begins.get(place, 0) <= offset < self._ends.get(place, 0):
            return None
        self._consumer.seek(place, offset)
        while await self._consumer.position(place) <= offset:
            found = await self._consumer.getmany(place, timeout_ms=WAIT_MS, max_records=1)
            for record in found.get(place, ()):
                return letter_of(record) if record.offset == offset else None
        return None

    async def _take_positions(self) -> None:
        places = await assign_topics(self._consumer, self._target, (names.COMMANDS_DLQ,))
        self._begins = await self._consumer.beginning_offsets(places)
        self._ends = await self._consumer.end_offsets(places)
        self.rewind()
