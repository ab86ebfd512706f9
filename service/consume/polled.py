"""Ends a poll when what it has read is large: as a number, 2,000 records can be anything.

What is left of the fetched batches is let go and fetched again, behind what other partitions have: expanded batches of
many partitions are not kept beside each other, and nobody waits for one sender's large records.

And a partition that can't be read fails a poll of its own: aiokafka would forget what the same poll has taken before,
of all partitions, and go on behind it.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.consumer.fetcher import Fetcher, FetchResult

# A poll of ordinary commands has a tenth of it.
MOST_POLLED: Final = 16 * 1024 * 1024
# What a header takes in memory beside its bytes.
PER_HEADER: Final = 100


@dataclass(slots=True)
class _Room:
    """What the running poll may still read."""

    left: int


_ROOM: Final[ContextVar[_Room]] = ContextVar("room")


class BoundedResult(FetchResult):  # type: ignore[misc]  # aiokafka has no types
    """What was fetched of a partition, given in parts that the poll has room for."""

    error: Exception | None = None
    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Gives the next records, at least one if there is room for any; keeps the error that comes before any."""
        room = _ROOM.get()
        if room.left <= 0 or self.error or not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        taken: list[Any] = []
        try:
            over = self._take(taken, room, max_records)
        except Exception as error:  # noqa: BLE001  whatever it is
            over, self.error = bool(taken), None if taken else error
        self._update_position()
        if over:
            self._partition_records = None
        return taken

    def _take(self, taken: list[Any], room: _Room, max_records: int | None) -> bool:
        """Tells whether nothing more is to be taken of what was fetched."""
        records = self._partition_records
        source = records._records  # noqa: SLF001  it tells how large the record is that it gave last
        for record in records:
            taken.append(record)
            room.left -= source.weight + PER_HEADER * len(record.headers)
            if room.left <= 0:
                return True
            if len(taken) == max_records:
                return False
        return True


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
