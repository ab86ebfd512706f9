from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CorruptRecordException

from service.consume import fetched
from service.consume.expand import MOST_BYTES
from service.consume.polled import MOST_POLLED
from service.record import Record, Span, UnreadableBatch
from tests.kafka.harness import Pool, StoringTransaction, make_topics, plain, progress, running
from tests.support.batches import CODECS, HEAD, Ready, compressed, encoded, filled
from tests.support.wait import until

TOPIC = "booking-commands"
MIB = 1024 * 1024
# Snappy makes a twentieth of it at best: more than topics of commands take.
LIMIT = str(2 * MIB)


async def append(bootstrap: str, topic: str, partition: int, *batches: bytes) -> None:
    """Appends batches as they are."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=4 * MIB) as producer:
        for batch in batches:
            await (await producer.send_batch(Ready(batch), topic, partition=partition))


async def test_a_batch_that_expands_to_too_much_is_passed_with_its_place(
    kafka: str, topic_prefix: str, pool: Pool
) -> None:
    """Of every codec: what is within the bound is read; for more one record stands; nothing else waits or is lost."""
    await make_topics(kafka, topic_prefix, **{"max.message.bytes": LIMIT})
    one = plain(0)
    within, above = encoded(filled(MOST_BYTES)), encoded([*one, *filled(MOST_BYTES)])
    batches = []
    for codec in CODECS.values():
        batches += [compressed(batch, *codec) for batch in (within, encoded(one), above, encoded(one))]
    await append(kafka, topic_prefix + TOPIC, 1, *batches)
    await append(kafka, topic_prefix + TOPIC, 2, encoded(one))
    end = 5 * len(CODECS)
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 4 * len(CODECS) + 1, 40)
    found = [record for record in transaction.records if record.partition == 1]
    places = [place for place in range(end) if place % 5 != 2]
    assert [record.offset for record in found] == places
    bombs = [record.value for record in found if record.offset % 5 == 3]
    for bomb, batch, place in zip(bombs, batches[2::4], range(2, end, 5), strict=True):
        assert isinstance(bomb, UnreadableBatch)
        assert (bomb.first, bomb.last, bomb[HEAD:]) == (place, place + 1, batch[HEAD:])
    assert all(record.value == b"v0" for record in found if record.offset % 5 in (1, 4))
    assert await progress(pool, TOPIC, 1) == end

    again = StoringTransaction(pool)
    async with running(kafka, topic_prefix, again):
        await append(kafka, topic_prefix + TOPIC, 1, encoded(plain(9)))
        await until(lambda: len(again.records) > 0)
    assert [(record.offset, record.value) for record in again.records] == [(end, b"v9")]


@pytest.mark.parametrize("name", ["gzip", "lz4"])
async def test_what_the_broker_takes_and_nobody_else_reads(
    kafka: str, topic_prefix: str, pool: Pool, name: str
) -> None:
    """Bytes behind a stream, which Java passes over, don't stop their partition, nor the polls of all others."""
    await make_topics(kafka, topic_prefix)
    spoiled = compressed(encoded(plain(1, 2)), *CODECS[name], after=b"junk")
    await append(kafka, topic_prefix + TOPIC, 0, encoded(plain(0)), spoiled, encoded(plain(3)))
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 3)
    assert [record.offset for record in transaction.records] == [0, 2, 3]
    assert isinstance(transaction.records[1].value, UnreadableBatch)


class WeighingTransaction(StoringTransaction):
    """Notes how many bytes each batch has."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.weights: list[int] = []

    async def __call__(self, records: Sequence[Record], spans: Sequence[Span], nearly_done: Callable[[], None]) -> None:
        """Apply the batch."""
        self.weights.append(sum(len(record.value or b"") for record in records))
        await super().__call__(records, spans, nearly_done)


async def test_a_poll_ends_when_it_is_large(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """However many large records wait in all partitions, a batch holds little more than one; none is lost."""
    await make_topics(kafka, topic_prefix)
    size = MOST_POLLED // 4 + 1
    batch = compressed(encoded(filled(size) * 3), *CODECS["zstd"])
    for partition in range(4):
        await append(kafka, topic_prefix + TOPIC, partition, batch, batch, encoded(plain(1)))
    transaction = WeighingTransaction(pool)
    async with running(kafka, topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 28, 40)
    assert MOST_POLLED < max(transaction.weights) < MOST_POLLED + size
    for partition in range(4):
        assert [each.offset for each in transaction.records if each.partition == partition] == list(range(7))


async def test_a_partition_that_fails_loses_nothing_of_what_was_polled_with_it(
    kafka: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that were damaged on their way fail a poll of their own; they are fetched again, and all comes once."""
    await make_topics(kafka, topic_prefix)
    topic, turn = topic_prefix + TOPIC, 0
    for partition in range(4):
        await append(kafka, topic, partition, encoded(plain(0, 1)), encoded(plain(2, 3)))

    class Damaged(fetched.FetchedRecords):
        """Fails as at a wrong checksum: at the first batch of the second partition, at the second of the last."""

        def next_batch(self) -> Any:
            """The next batch."""
            nonlocal turn
            turn += 1
            if turn in {3, 7}:
                raise CorruptRecordException("Invalid CRC")
            return super().next_batch()

    fetched.install()
    monkeypatch.setattr("aiokafka.consumer.fetcher.MemoryRecords", Damaged)
    found: dict[int, list[int]] = {partition: [] for partition in range(4)}
    async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in found])

        async def all_read() -> bool:
            try:
                for place, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[place.partition] += [record.offset for record in records]
            except CorruptRecordException:
                return False
            return sum(map(len, found.values())) >= 16

        await until(all_read)
    assert turn > 7
    assert list(found.values()) == [[0, 1, 2, 3]] * 4
