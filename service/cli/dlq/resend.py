"""Sends dead letters to `commands-replay` as they are: key, bytes, and all headers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas import headers as names
from service.cli.connect import Target
from service.cli.dlq.letter import Letter
from service.decode.replay import Header
from service.partitioner import partition
from service.relay.batch import RawNameBatch
from service.relay.headers import RawName

CLIENT_ID: Final = "bookstream-dlq-replay"
# The first record of a batch is taken whatever its size, so that a large one travels alone.
BATCH_BYTES: Final = 1_000_000


class Resender:
    """Sends chunks of dead letters; those of a key lie on one partition and stay in their order."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def send(self, letters: Sequence[Letter]) -> None:
        """Send them all, and return when Kafka has acknowledged each."""
        count = len(await self._producer.partitions_for(self._topic))
        lanes: dict[int, list[Letter]] = {}
        for letter in letters:
            number = letter.partition % count if letter.key is None else partition(letter.key, count)
            lanes.setdefault(number, []).append(letter)
        await asyncio.gather(*(self._send(number, lane) for number, lane in lanes.items()))

    async def _send(self, number: int, letters: Sequence[Letter]) -> None:
        for batch in self._pack(letters):
            await (await self._producer.send_batch(batch, self._topic, partition=number))

    def _pack(self, letters: Sequence[Letter]) -> Iterator[BatchBuilder]:
        """Batches in order; one with a header name that is not UTF-8 travels alone."""
        batch: BatchBuilder | None = None
        for letter in letters:
            headers, raw = _headers(letter)
            if raw or batch is None or not _append(batch, letter, headers):
                if batch is not None:
                    yield batch
                batch = RawNameBatch(BATCH_BYTES) if raw else self._producer.create_batch()
                _append(batch, letter, headers)
            if raw:
                yield batch
                batch = None
        if batch is not None:
            yield batch


@asynccontextmanager
async def resending(target: Target, *, idempotent: bool) -> AsyncIterator[Resender]:
    """Yields a resender with a producer of its own."""
    producer = AIOKafkaProducer(
        client_id=CLIENT_ID, acks="all", enable_idempotence=idempotent, max_batch_size=BATCH_BYTES, **target.options
    )
    await producer.start()
    try:
        yield Resender(producer, target.prefix + names.COMMANDS_REPLAY)
    finally:
        await producer.stop()


def _append(batch: BatchBuilder, letter: Letter, headers: Sequence[Header]) -> bool:
    return batch.append(timestamp=None, key=letter.key, value=letter.value, headers=headers) is not None


def _headers(letter: Letter) -> tuple[list[Header], bool]:
    """The headers as the producer takes them, and whether a name is not UTF-8.

    Version 0.1.0 did not write down when a record was appended; it was handled at most a backlog later.
    """
    headers = list(letter.headers)
    if names.DLQ_APPENDED_AT not in letter.says:
        headers.append((names.DLQ_APPENDED_AT, letter.says.get(names.DLQ_FAILED_AT, "").encode()))
    raw = [not _is_utf8(name) for name, _ in headers]
    named = [(RawName(name) if odd else name, value) for (name, value), odd in zip(headers, raw, strict=True)]
    return named, any(raw)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
