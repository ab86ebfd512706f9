"""Partitions as Kafka's Java client chooses them, so that a key lies where every other producer puts it."""

import struct
from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_REMEMBERED_KEYS = 65_536
# Longer than any id; the keys of dead letters are what senders wrote.
_LONGEST_REMEMBERED = 64


def murmur2(data: bytes) -> int:
    """MurmurHash2 with the seed and the details of `org.apache.kafka.common.utils.Utils.murmur2`, unsigned."""
    length = len(data)
    words = length >> 2
    h = _SEED ^ length
    for word in struct.unpack_from(f"<{words}I", data):
        k = word * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    tail = data[words << 2 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition(key: bytes, partitions: int) -> int:
    """The partition of a key among so many."""
    if len(key) > _LONGEST_REMEMBERED:
        return (murmur2(key) & 0x7FFFFFFF) % partitions
    return _remembered(key, partitions)


@lru_cache(maxsize=_REMEMBERED_KEYS)
def _remembered(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions
