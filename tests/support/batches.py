"""Record batches as producers write them, and as none should."""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import cramjam
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c

Headers = Sequence[tuple[str, bytes | None]]
Message = tuple[bytes | None, bytes | None, Headers]
Compress = Callable[[bytes], bytes]

HEAD: Final = 61
_ATTRIBUTES: Final = 21
_CRC: Final = 17


def _xerial(records: bytes) -> bytes:
    return bytes(snappy_encode(records))


def _snappy(records: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(records))


def _lz4(records: bytes) -> bytes:
    return bytes(lz4_encode(records))


def _zstd(records: bytes) -> bytes:
    return bytes(zstd_encode(records))


def _gzip(records: bytes) -> bytes:
    return bytes(gzip_encode(records, 1))


# Kafka's numbers; snappy is written in blocks by Java, and as one by others.
CODECS: Final[Mapping[str, tuple[int, Compress]]] = {
    "gzip": (1, _gzip),
    "snappy": (2, _xerial),
    "snappy-raw": (2, _snappy),
    "lz4": (3, _lz4),
    "zstd": (4, _zstd),
}


def encoded(messages: Sequence[Message], *, first: int = 0, stamp: int = 1) -> bytes:
    """A batch without compression."""
    builder = _DefaultRecordBatchBuilderPy(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 30
    )
    for number, (key, value, headers) in enumerate(messages):
        assert builder.append(number, stamp, key=key, value=value, headers=list(headers)) is not None
    found = bytearray(builder.build())
    struct.pack_into(">q", found, 0, first)
    return bytes(found)


def compressed(batch: bytes, codec: int, compress: Compress, after: bytes = b"") -> bytes:
    """The same batch with compressed records, and what else is written behind them."""
    return sealed(batch[:HEAD] + compress(batch[HEAD:]) + after, codec)


def sealed(batch: bytes, codec: int = 0) -> bytes:
    """The batch with codec, length and checksum set."""
    made = bytearray(batch)
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">h", made, _ATTRIBUTES, codec)
    struct.pack_into(">I", made, _CRC, calc_crc32c(bytes(made[_ATTRIBUTES:])))
    return bytes(made)


def filled(size: int) -> list[Message]:
    """One message of zeros that takes so many bytes in its batch, uncompressed."""
    value = bytes(size - len(encoded([(b"k", bytes(size), ())])) + HEAD + size)
    assert len(encoded([(b"k", value, ())])) == HEAD + size
    return [(b"k", value, ())]


class Ready(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch for aiokafka's producer that is sent as it is."""

    def __init__(self, batch: bytes) -> None:
        super().__init__(len(batch), 0)
        self._buffer = bytearray(batch)
        self._relative_offset = int.from_bytes(batch[57:61])
