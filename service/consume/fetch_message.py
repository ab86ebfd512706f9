"""Writes and reads Kafka's Fetch (version 11) with a few calls for each partition, where aiokafka takes a hundred.

It goes over the wire every 10 ms, with all partitions in it, whether records have come or not.
"""

import struct
from io import BytesIO
from itertools import starmap
from typing import Any, Final, Self

from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11, FetchResponse_v11

_LENGTH: Final = struct.Struct(">h")
_COUNT: Final = struct.Struct(">i")
# Of a request: replica, wait, fewest and most bytes, isolation, session and its epoch, number of topics.
_ASKED: Final = struct.Struct(">iiiibiii")
# Partition, epoch of its leader, offset, start of the log, most bytes.
_WANTED: Final = struct.Struct(">iiqqi")
# Of a response: throttle time, error, session, number of topics.
_ANSWERED: Final = struct.Struct(">ihii")
# Partition, error, high watermark, last stable offset, start of the log, number of aborted transactions.
_FOUND: Final = struct.Struct(">ihqqqi")
# Producer, and the first offset of what it aborted.
_ABORTED: Final = struct.Struct(">qq")
# Preferred replica, length of the records.
_RECORDS: Final = struct.Struct(">ii")
# All of it, where no transactions were aborted.
_PLAIN: Final = struct.Struct(">ihqqqiii")

_Partition = tuple[int, int, int, int, int, list[tuple[int, ...]] | None, int, bytes | None]


class QuickResponse(FetchResponse_v11):  # type: ignore[misc]  # aiokafka has no types
    """The same members as aiokafka's own."""

    @classmethod
    def decode(cls, data: BytesIO) -> Self:
        """Reads what is left of the data; raises ValueError where it ends too early."""
        # `getbuffer` would copy all of it.
        view = memoryview(data.getvalue())[data.tell() :]
        try:
            throttle, error, session, count = _ANSWERED.unpack_from(view)
            topics: list[tuple[str, list[_Partition]]] = []
            at = _ANSWERED.size
            for _ in range(count):
                (length,) = _LENGTH.unpack_from(view, at)
                begin = at + _LENGTH.size
                at = begin + length
                (partitions,) = _COUNT.unpack_from(view, at)
                at += _COUNT.size
                found: list[_Partition] = []
                for _ in range(partitions):
                    partition, at = _partition(view, at)
                    found.append(partition)
                topics.append((str(view[begin : begin + length], "utf-8"), found))
        except struct.error as short:
            raise ValueError(f"a response to Fetch is cut off: {short}") from short
        return cls(throttle, error, session, topics)


class QuickStruct(FetchRequest_v11):  # type: ignore[misc]
    """The same members as aiokafka's own."""

    RESPONSE_TYPE = QuickResponse

    def encode(self) -> bytes:
        """Gives the same bytes as aiokafka's own."""
        asked = [
            _ASKED.pack(
                self.replica_id,
                self.max_wait_time,
                self.min_bytes,
                self.max_bytes,
                self.isolation_level,
                self.session_id,
                self.session_epoch,
                len(self.topics),
            )
        ]
        for topic, partitions in self.topics:
            name = topic.encode()
            asked += (_LENGTH.pack(len(name)), name, _COUNT.pack(len(partitions)))
            asked += starmap(_WANTED.pack, partitions)
        *_, forgotten, rack = self.SCHEMA.fields
        asked += (forgotten.encode(self.forgotten_topics_data), rack.encode(self.rack_id))
        return b"".join(asked)


class QuickRequest(FetchRequest):  # type: ignore[misc]
    """aiokafka's own, whose other versions remain what they are."""

    def build(self, request_struct_class: type[Any]) -> Any:
        """Makes the request in the version that the broker knows."""
        return super().build(QuickStruct if request_struct_class is FetchRequest_v11 else request_struct_class)


def _partition(view: memoryview, at: int) -> tuple[_Partition, int]:
    """Reads what was found of one partition, and where the next one begins."""
    partition, error, high, stable, start, count, replica, length = _PLAIN.unpack_from(view, at)
    begin = at + _PLAIN.size
    aborted: list[tuple[int, ...]] | None = None if count < 0 else []
    if count > 0:
        at += _FOUND.size
        begin = at + count * _ABORTED.size
        aborted = list(_ABORTED.iter_unpack(view[at:begin]))
        replica, length = _RECORDS.unpack_from(view, begin)
        begin += _RECORDS.size
    end = begin + max(length, 0)
    if end > len(view):
        raise ValueError("a response to Fetch is cut off within records")
    records = bytes(view[begin:end]) if length >= 0 else None
    return (partition, error, high, stable, start, aborted, replica, records), end
