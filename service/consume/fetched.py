"""Reads fetched batches of records, whatever bytes they are, in bounded memory.

The broker stores what it can read itself; where aiokafka then fails at a batch, it fails at every fetch of its
partition for ever, and with it at the poll of all others. `install` puts readers of ours under aiokafka's fetcher:

- a compressed batch is expanded up to a bound (`expand`);
- header names need not be UTF-8 (`header_names`);
- what can't be read at all is given as one record that says so and stands for the rest of the batch, so that it gets
  its outcome with the progress like any other, and reading goes on behind it;
- records are made as the service's own, and a poll ends when what it has read is large (`polled`);
- a fetch is sent when its records will soon be wanted (`timely`).
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from aiokafka.consumer import consumer, fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import decode_varint

from service.consume.expand import Unreadable, expand
from service.consume.fetch_message import QuickRequest
from service.consume.header_names import LenientBatch
from service.consume.polled import BoundedResult, PolledRecords
from service.consume.timely import TimelyFetcher
from service.record import UnreadableBatch

# What a record without compression can't be anyway is looked at before it is parsed.
LARGE: Final = 1024 * 1024
MOST_HEADERS: Final = 10_000

_OFFSET: Final = slice(0, 8)
_LENGTH: Final = 8
# Of messages without key and value, in the oldest format.
_LEAST: Final = 26
_OVERHEAD: Final = 12
_OLD_CHECKSUM: Final = slice(12, 16)
_MAGIC: Final = 16
_V2: Final = 2
_OLD_STAMP: Final = slice(18, 26)
_ATTRIBUTES: Final = 22
_CODEC: Final = 0x07
_COUNT: Final = slice(57, 61)
_HEAD: Final = 61
_BROKEN: Final = (CorruptRecordException, ValueError, IndexError, OverflowError, struct.error)


class UnreadRecord(NamedTuple):
    """Stands for the records of a batch that can't be read, with the members of aiokafka's own."""

    offset: int
    timestamp: int
    timestamp_type: int
    value: UnreadableBatch
    key: None = None
    checksum: None = None
    headers: tuple[()] = ()


class FetchedBatch:
    """One batch: the fast parser's, and from the first name it cannot decode on the lenient one's."""

    __slots__ = (
        "_batch",
        "_data",
        "_records",
        "base_offset",
        "is_control_batch",
        "is_transactional",
        "next_offset",
        "producer_id",
        "validate_crc",
    )

    def __init__(self, batch: Any, data: memoryview, records: "FetchedRecords") -> None:
        self._batch = batch
        self._data = data
        self._records = records
        self.base_offset: int = batch.base_offset
        self.next_offset: int = batch.next_offset
        self.producer_id: int = batch.producer_id
        self.is_transactional: bool = batch.is_transactional
        self.is_control_batch: bool = batch.is_control_batch
        self.validate_crc: Callable[[], bool] = batch.validate_crc

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        taken, record = 0, None
        try:
            batch, data = self._readable()
            try:
                for record in self._checked(batch, data):
                    taken += 1
                    yield record
            except UnicodeDecodeError:
                for record in islice(self._checked(LenientBatch(data), data), taken, None):
                    yield record
        except Unreadable as error:
            yield self._unread(record, str(error))
        except _BROKEN as error:
            yield self._unread(record, f"its records are broken: {error}")

    def _readable(self) -> tuple[Any, bytes | memoryview]:
        """Gives the batch without compression, as its parser and as bytes."""
        data = self._data
        codec = data[_ATTRIBUTES] & _CODEC
        if not codec:
            self._weigh(data)
            return self._batch, data
        head = bytearray(data[:_HEAD])
        head[_ATTRIBUTES] &= ~_CODEC
        expanded = b"".join((head, expand(codec, bytes(data[_HEAD:]))))
        self._weigh(expanded)
        return DefaultRecordBatch(expanded), expanded

    def _weigh(self, data: bytes | memoryview) -> None:
        """Until it is known better, each record is as large as the others."""
        self._records.weight = len(data) // max(1, int.from_bytes(data[_COUNT]))

    def _checked(self, batch: Iterable[Any], data: bytes | memoryview) -> Iterable[Any]:
        """Of a large batch, no record is parsed before it was looked at."""
        if data is self._data or len(data) <= LARGE:
            return batch
        return (record for _, record in zip(self._look_through(data), batch, strict=False))

    def _look_through(self, data: bytes | memoryview) -> Iterator[None]:
        """Yields before each record that may be parsed: two bytes of a header take a hundred in memory."""
        at = _HEAD
        for _ in range(int.from_bytes(data[_COUNT])):
            length, begin = decode_varint(data, at)
            at = begin + length
            count = _headers(data, begin)
            if count > MOST_HEADERS:
                raise Unreadable(f"a record has {count} headers")
            self._records.weight = length
            yield
        if at != len(data):
            raise Unreadable("something follows its records")

    def _unread(self, last_read: Any, why: str) -> UnreadRecord:
        batch, data = self._batch, self._data
        first, last = self.base_offset if last_read is None else last_read.offset + 1, self.next_offset - 1
        self._records.weight = len(data)
        value = UnreadableBatch.of(bytes(data), first, last, why)
        return UnreadRecord(last, batch.max_timestamp, batch.timestamp_type, value)


class OldMessages:
    """What was stored in a format of before: such messages have no headers, so that they are no commands anyway.

    Kafka stores none since 3.0. Its offset is the last of them.
    """

    is_control_batch = False
    producer_id = None

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.next_offset = int.from_bytes(data[_OFFSET]) + 1

    def validate_crc(self) -> bool:
        """Whether its bytes are what was stored."""
        return zlib.crc32(self._data[_MAGIC:]) == int.from_bytes(self._data[_OLD_CHECKSUM])

    def __iter__(self) -> Iterator[UnreadRecord]:
        last, format_ = self.next_offset - 1, self._data[_MAGIC]
        stamp = int.from_bytes(self._data[_OLD_STAMP], signed=True) if format_ else 0
        value = UnreadableBatch.of(bytes(self._data), last, last, f"messages of format {format_} are not read")
        yield UnreadRecord(last, stamp, 0, value)


def _headers(data: bytes | memoryview, at: int) -> int:
    """Reads how many headers a record says it has; `at` is where its attributes are."""
    _, at = decode_varint(data, at + 1)
    _, at = decode_varint(data, at)
    for _ in ("key", "value"):
        length, at = decode_varint(data, at)
        at += max(length, 0)
    return int(decode_varint(data, at)[0])


class FetchedRecords:
    """Stands in for aiokafka's `MemoryRecords`: the batches of one partition in a fetch response.

    `weight` is how many bytes the record is that was read last.
    """

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0
        self.weight = 0

    def size_in_bytes(self) -> int:
        """Length of the fetched bytes, an incomplete last batch included."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether a complete batch is left."""
        return 0 < self._end() <= len(self._data)

    def next_batch(self) -> FetchedBatch | OldMessages | None:
        """The next batch, or None after the last complete one."""
        end = self._end()
        if not 0 < end <= len(self._data):
            return None
        batch, self._at = self._data[self._at : end], end
        if len(batch) < _LEAST:
            raise CorruptRecordException(f"{len(batch)} bytes are no batch")
        if batch[_MAGIC] < _V2:
            return OldMessages(batch)
        if len(batch) < _HEAD:
            raise CorruptRecordException(f"{len(batch)} bytes are no batch")
        return FetchedBatch(DefaultRecordBatch(batch), batch, self)

    def _end(self) -> int:
        """Where the next batch ends; it begins with its offset, and says how much follows its length."""
        length = self._at + _LENGTH
        begin = self._at + _OVERHEAD
        return begin + int.from_bytes(self._data[length:begin], signed=True) if begin <= len(self._data) else 0


def install() -> None:
    """Puts these readers under aiokafka's consumers of this process; again is harmless."""
    fetcher.FetchRequest = QuickRequest
    fetcher.MemoryRecords = FetchedRecords
    fetcher.PartitionRecords = PolledRecords
    fetcher.FetchResult = BoundedResult
    consumer.Fetcher = TimelyFetcher
