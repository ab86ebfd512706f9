"""Decompresses a batch of records, up to a bound.

A topic's `max.message.bytes` is about what a batch is on the wire; what it expands to nobody limits: 8 KiB of zstd can
be 256 MiB. And a consumer may fail at bytes that the broker's own libraries read, such as what follows a gzip stream.
"""

import mmap
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import cramjam

# Thirty times a batch of 1 MiB, the most that topics of commands take: JSON compresses to a tenth or a twentieth.
MOST_BYTES: Final = 32 * 1024 * 1024
_WITH_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS
# The framing of the Java library, which cuts a batch into blocks: a magic number, two versions, then length and block.
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = 16
_LENGTH: Final = struct.Struct(">i")
_FULL: Final = "failed to write whole buffer"


class Unreadable(Exception):
    """The records can't be read, now or later; the text says why."""


def expand(codec: int, payload: bytes) -> bytes:
    """Gives the decompressed records; raises Unreadable when they are too large, or not what the codec writes."""
    name, decompress = _CODECS.get(codec, ("", None))
    if decompress is None:
        raise Unreadable(f"{codec} names no codec")
    try:
        return decompress(payload)
    except (zlib.error, cramjam.DecompressionError) as error:
        raise Unreadable(f"it is no {name}: {error}") from error


def _gzip(payload: bytes) -> bytes:
    reader = zlib.decompressobj(_WITH_GZIP_HEADER)
    found = reader.decompress(payload, MOST_BYTES + 1)
    if len(found) > MOST_BYTES:
        raise _too_large()
    if not reader.eof:
        raise Unreadable("its gzip has no end")
    if reader.unused_data:
        raise Unreadable("something follows its gzip")
    return found


def _snappy(payload: bytes) -> bytes:
    if not payload.startswith(_XERIAL):
        return _snappy_block(payload, MOST_BYTES)
    blocks, left, at = [], MOST_BYTES, _XERIAL_HEADER
    while at < len(payload):
        begin = at + _LENGTH.size
        if begin > len(payload):
            raise Unreadable("a block of its snappy has no length")
        at = begin + _LENGTH.unpack_from(payload, at)[0]
        if not begin <= at <= len(payload):
            raise Unreadable("a block of its snappy is cut off")
        blocks.append(_snappy_block(payload[begin:at], left))
        left -= len(blocks[-1])
    return b"".join(blocks)


def _snappy_block(block: bytes, most: int) -> bytes:
    """It says itself how long it will be."""
    if cramjam.snappy.decompress_raw_len(block) > most:
        raise _too_large()
    return bytes(cramjam.snappy.decompress_raw(block))


def _lz4(payload: bytes) -> bytes:
    return _within(cramjam.lz4.decompress_into, payload)


def _zstd(payload: bytes) -> bytes:
    return _within(cramjam.zstd.decompress_into, payload)


def _within(decompress: Callable[[bytes, Any], int], payload: bytes) -> bytes:
    """Decompresses into pages that are there only when they are written."""
    with mmap.mmap(-1, MOST_BYTES) as room:
        try:
            return room[: decompress(payload, room)]
        except cramjam.DecompressionError as error:
            if _FULL in str(error):
                raise _too_large() from error
            raise


def _too_large() -> Unreadable:
    return Unreadable(f"it expands to more than {MOST_BYTES} bytes")


# By Kafka's numbers.
_CODECS: Final[Mapping[int, tuple[str, Callable[[bytes], bytes]]]] = {
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _lz4),
    4: ("zstd", _zstd),
}
