from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import example, given
from hypothesis import strategies as st

from service.partitioner import _remembered, murmur2, partition


@given(st.binary(max_size=64))
@example(b"")
@example(b"21")
def test_hash_equals_the_clients(key: bytes) -> None:
    """Every key hashes as aiokafka's port of the Java client does it."""
    assert murmur2(key) == reference(key)


def test_hash_equals_javas() -> None:
    """The vectors of Kafka's own tests (UtilsTest), which are signed."""
    vectors = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    for key, signed in vectors.items():
        assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(min_value=1, max_value=100))
def test_partition_equals_the_clients(key: bytes, count: int) -> None:
    """A key lies where the default partitioner puts it."""
    assert partition(key, count) == DefaultPartitioner()(key, list(range(count)), [])


def test_long_keys_are_not_remembered() -> None:
    """A key can be a mebibyte of a sender's; one that is no longer than an id is hashed once."""
    before = _remembered.cache_info().currsize
    for length, remembered in ((64, 1), (65, 1), (1 << 20, 1)):
        key = b"long-key" * (length // 8) + b"x" * (length % 8)
        assert partition(key, 12) == DefaultPartitioner()(key, list(range(12)), [])
        assert _remembered.cache_info().currsize == before + remembered
