"""Writes and reads Kafka's Produce (version 7) with a few calls, and without copying batches again and again.

aiokafka takes a hundred calls for each partition, and copies what is sent once for each level that it is nested in.
"""

import struct
from io import BytesIO
from typing import Any, Final, Self

from aiokafka.producer import sender
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v7, ProduceResponse_v7

_LENGTH: Final = struct.Struct(">h")
_COUNT: Final = struct.Struct(">i")
# Of a request: acknowledgements that are required, timeout, number of topics.
_ASKED: Final = struct.Struct(">hii")
# Partition, length of its batch.
_SENT: Final = struct.Struct(">ii")
# Partition, error, offset, time of the append, start of the log.
_STORED: Final = struct.Struct(">ihqqq")


class QuickResponse(ProduceResponse_v7):  # type: ignore[misc]  # aiokafka has no types
    """The same members as aiokafka's own."""

    @classmethod
    def decode(cls, data: BytesIO) -> Self:
        """Reads what is left of the data; raises ValueError where it ends too early."""
        # `getbuffer` would copy all of it.
        view = memoryview(data.getvalue())[data.tell() :]
        topics, at = [], _COUNT.size
        try:
            (count,) = _COUNT.unpack_from(view)
            for _ in range(count):
                begin = at + _LENGTH.size
                at = begin + _LENGTH.unpack_from(view, at)[0]
                topic = str(view[begin:at], "utf-8")
                begin = at + _COUNT.size
                at = begin + _COUNT.unpack_from(view, at)[0] * _STORED.size
                topics.append((topic, list(_STORED.iter_unpack(view[begin:at]))))
            (throttle,) = _COUNT.unpack_from(view, at)
        except struct.error as short:
            raise ValueError(f"a response to Produce is cut off: {short}") from short
        return cls(topics, throttle)


class QuickStruct(ProduceRequest_v7):  # type: ignore[misc]
    """The same members as aiokafka's own."""

    RESPONSE_TYPE = QuickResponse

    def encode(self) -> bytes:
        """Gives the same bytes as aiokafka's own."""
        transaction = self.SCHEMA.fields[0].encode(self.transactional_id)
        parts = [transaction, _ASKED.pack(self.required_acks, self.timeout, len(self.topics))]
        for topic, partitions in self.topics:
            name = topic.encode()
            parts += (_LENGTH.pack(len(name)), name, _COUNT.pack(len(partitions)))
            for partition, batch in partitions:
                parts += (_SENT.pack(partition, len(batch)), batch)
        return b"".join(parts)


class QuickRequest(ProduceRequest):  # type: ignore[misc]
    """aiokafka's own, whose other versions remain what they are."""

    def build(self, request_struct_class: type[Any]) -> Any:
        """Makes the request in the version that the broker knows."""
        return super().build(QuickStruct if request_struct_class is ProduceRequest_v7 else request_struct_class)


def install() -> None:
    """Puts these under aiokafka's producers of this process; again is harmless."""
    sender.ProduceRequest = QuickRequest
