"""The embedded broker."""

import importlib.util
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from service.embedded import EmbeddedBroker, EmbeddedServerError
from service.embedded.broker import brokers_known_to
from tests.embedded.orphan import orphaned
from tests.support.wait import until

_TOPIC = "booking-events"


@pytest.fixture
async def embedded() -> AsyncIterator[EmbeddedBroker]:
    """Yield a broker of the test's own."""
    async with EmbeddedBroker() as broker:
        yield broker


def _answers(address: str) -> bool:
    host, port = address.split(":")
    return brokers_known_to(host, int(port)) == 1


async def _create_topic(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(_TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def test_records_go_in_and_come_out(embedded: EmbeddedBroker) -> None:
    """What a producer sends, null value and header bytes included, a consumer gets."""
    await _create_topic(embedded.bootstrap)
    headers = [("ce_id", b"\xff\x00"), ("empty", b"")]
    async with AIOKafkaProducer(bootstrap_servers=embedded.bootstrap) as producer:
        await producer.send_and_wait(_TOPIC, b"one", key=b"k", headers=headers)
        await producer.send_and_wait(_TOPIC, None, key=b"k")
    async with AIOKafkaConsumer(bootstrap_servers=embedded.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(_TOPIC, 0)])
        first, second = await consumer.getone(), await consumer.getone()
    assert (first.offset, first.key, first.value, list(first.headers)) == (0, b"k", b"one", headers)
    assert (second.offset, second.value) == (1, None)


@pytest.mark.parametrize("end", [EmbeddedBroker.stop, EmbeddedBroker.kill])
async def test_it_starts_again_at_its_address(embedded: EmbeddedBroker, end: Callable[[EmbeddedBroker], None]) -> None:
    """After a stop or a crash the same address answers again."""
    address = embedded.bootstrap
    end(embedded)
    assert not _answers(address)
    embedded.start()
    assert embedded.bootstrap == address
    assert _answers(address)


async def test_two_brokers_stand_side_by_side(embedded: EmbeddedBroker) -> None:
    """Every broker finds a port of its own."""
    async with EmbeddedBroker() as other:
        assert other.bootstrap != embedded.bootstrap
        assert _answers(other.bootstrap)
        assert _answers(embedded.bootstrap)


def test_starting_twice_and_stopping_twice_is_harmless() -> None:
    """Only the first call of each does something."""
    with EmbeddedBroker() as broker:
        address = broker.bootstrap
        broker.start()
        assert broker.bootstrap == address
        broker.stop()
        broker.stop()
    with pytest.raises(EmbeddedServerError, match="not been started"):
        assert broker.bootstrap


def test_a_port_that_is_taken_is_an_error() -> None:
    """A broker that was given its port does not move to another."""
    with EmbeddedBroker() as broker:
        taken = int(broker.bootstrap.split(":")[1])
        with pytest.raises(EmbeddedServerError, match="is taken"), EmbeddedBroker(taken):
            pass


async def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """A process that is killed leaves no broker behind."""
    address = await orphaned("EmbeddedBroker", "bootstrap", tmp_path)
    await until(lambda: not _answers(address))


def test_a_missing_wheel_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the error says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'bookstream\[demo\]'"):
        EmbeddedBroker().start()
