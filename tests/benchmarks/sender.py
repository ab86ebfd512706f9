"""Sends commands when each is due, whatever has become of those before it.

What is due goes out every 5 ms, all partitions of it in one request, as Kafka's own client does: librdkafka makes a
request for each partition, thousands in a second, which take the broker a quarter of a processor more.
"""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from service.partitioner import partition
from tests.benchmarks.servers import PARTITIONS, PATIENCE
from tests.benchmarks.workload import Command

TICK = 0.005
# Of a tick, so that a partition's share has room in one batch also after a stall.
MOST = 1_000
BATCH_BYTES = 1024 * 1024 - 1024


async def send_steadily(bootstrap: str, topic: str, commands: Sequence[Command], rate: float) -> dict[str, float]:
    """Send so many commands a second, or as fast as it goes when that is over; give when each was due, by id."""
    placed = [(partition(command.key, PARTITIONS), command) for command in commands]
    taken = []
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
    ) as producer:
        await producer.partitions_for(topic)
        start, sent = time.monotonic(), 0
        while sent < len(placed):
            now = time.monotonic()
            due = min(int((now - start) * rate) + 1, sent + MOST)
            for number, batch in _batches(producer, placed[sent:due]).items():
                taken.append(await producer.send_batch(batch, topic, partition=number))
            sent = due
            await asyncio.sleep(now + TICK - time.monotonic())
        await asyncio.wait_for(asyncio.gather(*taken), PATIENCE)
    return {command.id: start + place / rate for place, command in enumerate(commands)}


def _batches(producer: AIOKafkaProducer, placed: Sequence[tuple[int, Command]]) -> dict[int, BatchBuilder]:
    batches: dict[int, BatchBuilder] = {}
    for number, command in placed:
        batch = batches.get(number)
        if batch is None:
            batch = batches[number] = producer.create_batch()
        if batch.append(timestamp=None, key=command.key, value=command.value, headers=command.headers) is None:
            raise RuntimeError(f"a batch has no room for command {command.id}")
    return batches
