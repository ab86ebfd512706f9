"""When the records of the next batch are fetched."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from service.consume.consumer import Consumer
from service.record import Record, Span
from service.topics import COMMAND_TOPICS
from tests.kafka.harness import Pool, StoringTransaction, make_topics, placed, plain, produce, running
from tests.support.wait import until

TOPIC = COMMAND_TOPICS[0]


class SlowTransaction(StoringTransaction):
    """Its gate is before it is nearly done; waits again before it writes."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.gate.clear()
        self.writing = asyncio.Event()

    async def _store(self, connection: Any, records: Sequence[Record], spans: Sequence[Span]) -> None:
        await self.writing.wait()
        await super()._store(connection, records, spans)


def _fetcher(consumer: Consumer) -> Any:
    found = consumer._find()
    assert found is not None
    return found._fetcher


async def test_what_comes_next_is_fetched_while_a_batch_is_written(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """No fetch is sent while a batch is decided; when it has only to be written, what came meanwhile is fetched."""
    await make_topics(kafka, topic_prefix)
    transaction = SlowTransaction(pool)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await placed(consumer)
        await produce(kafka, topic_prefix + TOPIC, 0, plain(1))
        await transaction.entered.wait()
        await produce(kafka, topic_prefix + TOPIC, 0, plain(2))
        await produce(kafka, topic_prefix + TOPIC, 1, plain(3))
        fetcher = _fetcher(consumer)
        assert not fetcher._in_flight
        assert not fetcher._records
        transaction.gate.set()
        await until(lambda: len(fetcher._records) == 2)
        assert transaction.records == []
        transaction.writing.set()
        await until(lambda: len(transaction.records) == 3)


class SilentTransaction(StoringTransaction):
    """Never says that it is nearly done, as where there is nothing to decide."""

    async def __call__(self, records: Sequence[Record], spans: Sequence[Span], nearly_done: Callable[[], None]) -> None:
        """Apply the batch."""
        del nearly_done
        await super().__call__(records, spans, lambda: None)


async def test_a_poll_fetches_whatever_the_batch_said(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """A batch that never says that it is nearly done keeps nobody from being read."""
    await make_topics(kafka, topic_prefix)
    transaction = SilentTransaction(pool)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await placed(consumer)
        await produce(kafka, topic_prefix + TOPIC, 0, plain(1))
        await until(lambda: len(transaction.records) == 1)
        await produce(kafka, topic_prefix + TOPIC, 1, plain(2))
        await until(lambda: len(transaction.records) == 2)
