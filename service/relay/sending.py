"""The rows of one lane on their way to Kafka: batch after batch, the next only when the one before is acknowledged."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from itertools import islice

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from service.relay.batch import RowBatch
from service.relay.headers import RawHeaders, parse_headers
from service.relay.holds import Holds, Lane
from service.relay.producer import Producer
from service.relay.window import Row

log = logging.getLogger(__name__)


class Sending:
    """Sends rows from its making on; a failure holds the lane from the first row that is not acknowledged."""

    def __init__(
        self, lane: Lane, rows: Sequence[Row], producer: Producer, holds: Holds, halted: Callable[[], bool]
    ) -> None:
        """Once `halted` no further batch is begun."""
        self.lane = lane
        self._rows = rows
        self._producer = producer
        self._holds = holds
        self._halted = halted
        self._acknowledged = 0
        self._sent = 0
        self._taken = 0
        self._moved_at = time.monotonic()
        self.task = asyncio.create_task(self._send(), name=f"send to {lane[0]}/{lane[1]}")

    def stuck_for(self) -> float:
        """Seconds since the batch under way was begun."""
        return time.monotonic() - self._moved_at

    def take(self) -> Sequence[Row]:
        """Gives the rows that were acknowledged since it was asked last."""
        begin, self._taken = self._taken, self._acknowledged
        return self._rows[begin : self._taken]

    def set_aside(self) -> None:
        """End with the batch under way, and hold the lane until then."""
        self._rows = self._rows[: self._sent]
        rows = _named(self.lane, self._sent - self._acknowledged, self._first)
        problem = f"Kafka neither takes nor refuses {rows}; other partitions go on"
        self._holds.add(self.lane, self._first, problem, until_it_ends=True)

    @property
    def _first(self) -> int:
        return self._rows[self._acknowledged].seq

    async def _send(self) -> None:
        try:
            while self._acknowledged < len(self._rows) and not self._halted():
                batch = self._next_batch()
                self._sent = self._acknowledged + batch.record_count()
                try:
                    await self._producer.send(batch, *self.lane)
                except KafkaError as error:
                    self._holds.add(self.lane, self._first, _explain(self.lane, batch, self._first, error))
                    return
                self._acknowledged = self._sent
                self._moved_at = time.monotonic()
        except Exception as error:
            log.exception("sending to %s/%d failed", *self.lane)
            told = f"sending to {self.lane[0]}/{self.lane[1]} failed from seq {self._first} on: {error!r}"
            self._holds.add(self.lane, self._first, told)

    def _next_batch(self) -> RowBatch:
        """What has room of the next rows; one with a header name that is not UTF-8 travels alone."""
        batch = self._producer.new_batch()
        for row in islice(self._rows, self._acknowledged, None):
            headers = parse_headers(row.headers)
            if type(headers) is RawHeaders:
                if not batch.record_count():
                    batch = self._producer.new_batch(raw_names=True)
                    batch.add(row, headers)
                return batch
            if not batch.add(row, headers):
                return batch
        return batch


def _explain(lane: Lane, batch: RowBatch, first: int, error: KafkaError) -> str:
    rows = _named(lane, batch.record_count(), first)
    if isinstance(error, MessageSizeTooLargeError):
        return f"Kafka refuses {rows}: {batch.size()} bytes are too many; raise the topic's max.message.bytes"
    return f"Kafka did not take {rows}: {error!r}"


def _named(lane: Lane, count: int, first: int) -> str:
    return f"{count} rows of the outbox from seq {first} for {lane[0]}/{lane[1]}"
