"""Sends rows to Kafka: partitions side by side, each in order, and says which rows it has acknowledged."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from service.partitioner import partition
from service.relay.batch import RowBatch
from service.relay.headers import RawHeaders, parse_headers
from service.relay.holds import WHOLE_TOPIC, Holds, Lane
from service.relay.producer import Producer, TopicUnknownError
from service.relay.window import Page, Row
from service.store.lease import HEARTBEAT_SECONDS, Lease

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """What became of a page: the rows acknowledged, and why others wait.

    `freed`: lanes that were held are not any more, so that rows behind this page may be theirs.
    """

    confirmed: list[int] = field(default_factory=list)
    problems: Mapping[Lane, str] = field(default_factory=dict)
    freed: bool = False


class Publisher:
    """Publishes pages through a producer, lanes side by side.

    A lane whose send has failed is held for a moment, all of it, so that no row overtakes and the others flow.
    """

    def __init__(
        self, producer: Producer, prefix: str, give_up: Callable[[], bool], waiting: Callable[[], None]
    ) -> None:
        """`waiting` is called again and again while sends are under way without a lease."""
        self.holds = Holds()
        self._producer = producer
        self._prefix = prefix
        self._give_up = give_up
        self._waiting = waiting
        self._halted = False

    async def publish(self, page: Page, lease: Lease) -> Outcome:
        """Send what is not held and wait for the acknowledgements, showing the lease alive meanwhile.

        When the lease is lost nothing further is sent, and its error is raised once nothing is under way any more. When
        it is time to give up, what is still under way is left behind unconfirmed.
        """
        outcome = Outcome()
        self._halted = False
        tried = self.holds.release(page)
        lanes = await self._lanes(page.rows)
        if lanes:
            await lease.beat_if_due()
        under_way = {asyncio.create_task(self._send(lane, rows, outcome)) for lane, rows in lanes.items()}
        try:
            while under_way and not self._give_up():
                _, under_way = await asyncio.wait(under_way, timeout=HEARTBEAT_SECONDS)
                if under_way:
                    await lease.beat()
        except asyncio.CancelledError:
            await _cancel(under_way)
            raise
        finally:
            self._halted = True
            while under_way and not self._give_up():
                self._waiting()
                _, under_way = await asyncio.wait(under_way, timeout=HEARTBEAT_SECONDS)
            await _cancel(under_way)
        outcome.freed = self.holds.free(tried)
        outcome.problems = self.holds.problems()
        return outcome

    async def _lanes(self, rows: Sequence[Row]) -> dict[Lane, list[Row]]:
        """The rows of lanes that are not held."""
        counts: dict[str, int] = {}
        lanes: defaultdict[Lane, list[Row]] = defaultdict(list)
        for row in rows:
            seq, topic, key, _, _ = row
            count = counts.get(topic)
            if count is None:
                count = counts[topic] = await self._partitions(self._prefix + topic, seq)
            if count:
                lanes[topic, seq % count if key is None else partition(key, count)].append(row)
        whole = {(self._prefix + topic, number): rows for (topic, number), rows in lanes.items()}
        for lane in filter(self.holds.__contains__, whole):
            self.holds.found(lane, whole[lane][0].seq)
        return {lane: rows for lane, rows in whole.items() if lane not in self.holds}

    async def _partitions(self, topic: str, seq: int) -> int:
        """How many partitions a topic has; none while that is not known, which holds it from this row on."""
        lane = (topic, WHOLE_TOPIC)
        if lane in self.holds:
            self.holds.found(lane, seq)
            return 0
        try:
            return await self._producer.partitions(topic)
        except TopicUnknownError as error:
            self.holds.add(lane, seq, str(error))
            return 0

    async def _send(self, lane: Lane, rows: Sequence[Row], outcome: Outcome) -> None:
        """Send one lane's rows batch after batch: the next only when the one before is acknowledged."""
        try:
            for batch in self._pack(rows):
                if self._halted:
                    return
                try:
                    await self._producer.send(batch, *lane)
                except KafkaError as error:
                    self.holds.add(lane, batch.seqs[0], _explain(lane, batch, error))
                    return
                outcome.confirmed.extend(batch.seqs)
        except Exception as error:
            log.exception("sending to %s/%d failed", *lane)
            first = rows[0].seq
            self.holds.add(lane, first, f"sending to {lane[0]}/{lane[1]} failed from seq {first} on: {error!r}")

    def _pack(self, rows: Sequence[Row]) -> Iterator[RowBatch]:
        """Batches of rows in order; one with a header name that is not UTF-8 travels alone."""
        batch = self._producer.new_batch()
        for row in rows:
            headers = parse_headers(row.headers)
            raw = type(headers) is RawHeaders
            if raw or not batch.add(row, headers):
                if batch.seqs:
                    yield batch
                batch = self._producer.new_batch(raw_names=raw)
                batch.add(row, headers)
            if raw:
                yield batch
                batch = self._producer.new_batch()
        if batch.seqs:
            yield batch


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _explain(lane: Lane, batch: RowBatch, error: KafkaError) -> str:
    rows = f"{len(batch.seqs)} rows of the outbox from seq {batch.seqs[0]} for {lane[0]}/{lane[1]}"
    if isinstance(error, MessageSizeTooLargeError):
        return f"Kafka refuses {rows}: {batch.size()} bytes are too many; raise the topic's max.message.bytes"
    return f"Kafka did not take {rows}: {error!r}"
