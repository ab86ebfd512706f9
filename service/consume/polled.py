"""Makes the records of a poll, and ends it when what it has read is large: as a number, 2,500 can be anything.

What is left of the fetched batches is let go and fetched again, behind what other partitions have: expanded batches of
many partitions are not kept beside each other, and nobody waits for one sender's large records.

And a partition that can't be read fails a poll of its own: aiokafka would forget what the same poll has taken before,
of all partitions, and go on behind it.
"""

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords

from service.record import Record

# A poll of ordinary commands has a tenth of it.
MOST_POLLED: Final = 16 * 1024 * 1024
# What a header takes in memory beside its bytes.
PER_HEADER: Final = 100
# What the names of topics begin with, and those in the records of this task's polls don't.
PREFIX: Final[ContextVar[str]] = ContextVar("prefix", default="")


@dataclass(slots=True)
class _Room:
    """What the running poll may still read."""

    left: int


_ROOM: Final[ContextVar[_Room]] = ContextVar("room")


class PolledRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """Gives records of ours at once, in place of aiokafka's, which would have to be made into ours."""

    _records_iterator: Iterator[Record]

    def __init__(self, tp: Any, *more: Any) -> None:
        self.topic, self._partition = tp
        super().__init__(tp, *more)

    def __iter__(self) -> Iterator[Record]:
        return self._records_iterator

    def _consumer_record(self, _tp: Any, record: Any) -> Record:
        return Record(
            self.topic,
            self._partition,
            record.offset,
            record.key,
            record.value,
            tuple(record.headers),
            record.timestamp,
            None,
            record.timestamp_type,
        )


class BoundedResult(FetchResult):  # type: ignore[misc]
    """What was fetched of a partition, given in parts that the poll has room for."""

    error: Exception | None = None
    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Record]:
        """Gives the next records, at least one if there is room for any; keeps the error that comes before any."""
        room = _ROOM.get()
        if room.left <= 0 or self.error or not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        taken: list[Record] = []
        try:
            over = self._take(taken, room, max_records)
        except Exception as error:  # noqa: BLE001  whatever it is
            over, self.error = bool(taken), None if taken else error
        self._update_position()
        if over:
            self._partition_records = None
        return taken

    def _take(self, taken: list[Record], room: _Room, max_records: int | None) -> bool:
        """Tells whether nothing more is to be taken of what was fetched."""
        records = self._partition_records
        records.topic = self._topic_partition.topic.removeprefix(PREFIX.get())
        source = records._records  # noqa: SLF001  it tells how large the record is that it gave last
        for record in islice(records, max_records):
            taken.append(record)
            room.left -= source.weight + PER_HEADER * len(record.headers)
            if room.left <= 0:
                return True
        return len(taken) != max_records


class BoundedFetcher(Fetcher):  # type: ignore[misc]
    """Gives each poll its room."""

    async def fetched_records(self, partitions: Any, timeout: float = 0, max_records: int | None = None) -> Any:  # noqa: ASYNC109
        """Gives what was fetched, by partition; raises what broke the first of them, once nothing else is there."""
        _ROOM.set(_Room(MOST_POLLED))
        found = await super().fetched_records(partitions, timeout, max_records)
        for place, result in list(self._records.items()):
            if isinstance(result, BoundedResult) and result.error:
                del self._records[place]
                self._set_error(place, result.error)
        return found
