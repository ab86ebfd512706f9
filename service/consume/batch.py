"""Hands each polled batch to the transaction, and moves on only when it is through."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from service.backoff import Backoff
from service.consume.assignment import Assignment
from service.consume.health import ConsumerHealth
from service.consume.misplaced import Misplaced
from service.errors import PartitionLost, Paused, StoreUnavailable
from service.record import PLACE, Record, Span
from service.telemetry.told import told

log = logging.getLogger(__name__)

_ADMITTING = 10.0


class Transaction(Protocol):
    """Applies a batch and moves its progress, all or nothing.

    Raises `PartitionLost` when some span's progress is not at `expected`, `StoreUnavailable` when it should be tried
    again later, `Paused` while nothing is to be consumed; nothing is changed in any of these cases.
    """

    async def __call__(self, records: Sequence[Record], spans: Sequence[Span], nearly_done: Callable[[], None]) -> None:
        """Apply the batch in one transaction; `nearly_done` is called when only writing is left."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of a poll that are ours to handle, in order within each partition."""

    records: list[Record]
    spans: list[Span]
    partitions: list[TopicPartition]
    until: list[float]


class BatchHandler:
    """Takes polled records through the transaction.

    1. take the lock, so that no partition is given up meanwhile
    2. drop what is not ours or was fetched before the last seek
    3. gather the records and the span of each partition
    4. call the transaction, again and again while PostgreSQL is away; what comes next is fetched while it writes
    5. advance the positions in memory, remember the commit for Kafka's lag tools
    6. wake the relay

    It never raises: an exception would make the subscriber pass over the batch.
    """

    def __init__(
        self,
        assignment: Assignment,
        transaction: Transaction,
        prefix: str,
        health: ConsumerHealth,
        wake: Callable[[], None],
        misplaced: Misplaced,
        fetch_next: Callable[[], None],
    ) -> None:
        self._assignment = assignment
        self._transaction = transaction
        self._prefix = prefix
        self._health = health
        self._wake = wake
        self._misplaced = misplaced
        self._fetch_next = fetch_next
        self._lost = Backoff()

    async def __call__(self, polled: Sequence[Record]) -> None:
        """Handle one poll's records."""
        applied = 0
        self._health.batch_begins()
        try:
            async with self._assignment.lock:
                batch = await self._select(polled)
                if batch.records and await self._apply(batch):
                    applied = len(batch.records)
        except Exception as error:
            # Raised, it would be swallowed and the batch passed over: its partitions begin anew at their progress.
            self._health.last_error = f"the batch failed: {error!r}"
            log.exception("a polled batch of %d records failed before it was applied", len(polled))
            places = set(map(PLACE, polled))
            self._assignment.forget([TopicPartition(self._prefix + topic, number) for topic, number in places])
        finally:
            self._health.batch_ends(applied)

    async def _select(self, polled: Sequence[Record]) -> Batch:
        batch = Batch([], [], [], [])
        for (topic, number), group in groupby(polled, key=PLACE):
            partition, run = TopicPartition(self._prefix + topic, number), list(group)
            self._health.pulse.beat()
            position = await self._admit(partition, run)
            if position is None:
                continue
            batch.records.extend(run)
            batch.spans.append(Span(topic, number, position, run[-1].offset + 1))
            batch.partitions.append(partition)
            batch.until.append(run[-1].timestamp / 1000)
        return batch

    async def _admit(self, partition: TopicPartition, run: Sequence[Record]) -> int | None:
        try:
            async with asyncio.timeout(_ADMITTING):
                return await self._assignment.admit(partition, run)
        except (KafkaError, TimeoutError) as error:
            log.warning("%s/%d: its records cannot be placed, reading its progress again: %r", *partition, error)
            self._assignment.forget([partition])
            return None

    async def _apply(self, batch: Batch) -> bool:
        backoff = Backoff()
        while not self._assignment.leaving.is_set():
            self._health.pulse.beat()
            try:
                await self._transaction(batch.records, batch.spans, self._fetch_next)
            except PartitionLost as error:
                log.warning("another process moved a partition of this batch, reading its progress again: %s", error)
                self._assignment.forget(batch.partitions)
                await self._pause(self._lost.next())
                return False
            except Paused as error:
                log.warning("%s", error)
                self._health.last_error = None
                self._assignment.hold(str(error))
                return False
            except StoreUnavailable as error:
                self._health.last_error = f"PostgreSQL is unavailable: {error}"
                log.warning("PostgreSQL is unavailable, the batch of %d waits: %s", len(batch.records), error)
            except Exception as error:
                self._health.last_error = f"the batch failed: {told(error)}"
                log.exception("a batch of %d records failed, trying it again: %s", len(batch.records), batch.spans)
            else:
                self._done(batch)
                return True
            await self._pause(backoff.next())
        return False

    def _done(self, batch: Batch) -> None:
        for partition, span, until in zip(batch.partitions, batch.spans, batch.until, strict=True):
            self._assignment.advance(partition, span.expected, span.next)
            self._health.handled_until[partition] = until
        self._misplaced.count(batch.records)
        self._lost.reset()
        self._wake()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._assignment.leaving.wait()
        except TimeoutError:
            pass
