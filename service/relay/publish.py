"""Sends rows to Kafka: partitions side by side, each in order, and says which rows it has acknowledged."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from service.partitioner import partition
from service.relay.headers import parse_headers
from service.relay.producer import Producer, TopicUnknownError
from service.relay.window import Row
from service.store.lease import HEARTBEAT_SECONDS, Lease

log = logging.getLogger(__name__)

_HOLD_SECONDS = 2.0

Lane = tuple[str, int]


@dataclass(slots=True)
class Outcome:
    """What became of the rows: those acknowledged, why the rest waits, and whether a send has failed for good."""

    confirmed: list[int] = field(default_factory=list)
    problems: dict[Lane, str] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True, slots=True)
class _Packed:
    builder: BatchBuilder
    seqs: list[int]


@dataclass(frozen=True, slots=True)
class _Hold:
    until: float
    problem: str


class Publisher:
    """Publishes rows through a producer. A lane is one partition of one topic (full name; -1 when it is not known).

    A lane whose send has failed is held for a moment, all of it, so that no row overtakes and the others flow.
    """

    def __init__(
        self, producer: Producer, prefix: str, give_up: Callable[[], bool], waiting: Callable[[], None]
    ) -> None:
        """`waiting` is called every second while sends are under way without a lease."""
        self._producer = producer
        self._prefix = prefix
        self._give_up = give_up
        self._waiting = waiting
        self._halted = False
        self._holds: dict[Lane, _Hold] = {}

    async def publish(self, rows: Sequence[Row], lease: Lease) -> Outcome:
        """Send all rows and wait for their acknowledgements, showing the lease alive meanwhile.

        When the lease is lost nothing further is sent, and its error is raised once nothing is under way any more. When
        it is time to give up, what is still under way is left behind unconfirmed.
        """
        outcome = Outcome()
        self._halted = False
        lanes = await self._lanes(rows, outcome)
        under_way = {asyncio.create_task(self._send(lane, held, outcome)) for lane, held in lanes.items()}
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
        return outcome

    async def _lanes(self, rows: Sequence[Row], outcome: Outcome) -> dict[Lane, list[Row]]:
        counts: dict[str, int] = {}
        lanes: dict[Lane, list[Row]] = {}
        for row in rows:
            count = counts.get(row.topic)
            if count is None:
                count = counts[row.topic] = await self._partitions(row.topic, outcome)
            if not count:
                continue
            number = row.seq % count if row.key is None else partition(row.key, count)
            lanes.setdefault((self._prefix + row.topic, number), []).append(row)
        now = time.monotonic()
        for lane in lanes.keys() & self._holds.keys():
            hold = self._holds[lane]
            if hold.until > now:
                outcome.problems[lane] = hold.problem
                del lanes[lane]
            else:
                del self._holds[lane]
        return lanes

    async def _partitions(self, topic: str, outcome: Outcome) -> int:
        lane = (self._prefix + topic, -1)
        hold = self._holds.pop(lane, None)
        if hold is None or hold.until <= time.monotonic():
            try:
                return await self._producer.partitions(self._prefix + topic)
            except TopicUnknownError as error:
                hold = _Hold(time.monotonic() + _HOLD_SECONDS, str(error))
        self._holds[lane] = hold
        outcome.problems[lane] = hold.problem
        return 0

    async def _send(self, lane: Lane, rows: Sequence[Row], outcome: Outcome) -> None:
        """Send one lane's rows batch after batch: the next only when the one before is acknowledged."""
        try:
            for packed in self._pack(rows):
                if self._halted:
                    return
                try:
                    await self._producer.send(packed.builder, *lane)
                except KafkaError as error:
                    outcome.failed = True
                    self._hold(lane, _explain(lane, packed, error), outcome)
                    return
                outcome.confirmed.extend(packed.seqs)
        except Exception as error:
            log.exception("sending to %s/%d failed", *lane)
            self._hold(lane, f"sending to {lane[0]}/{lane[1]} failed from seq {rows[0].seq} on: {error!r}", outcome)

    def _hold(self, lane: Lane, problem: str, outcome: Outcome) -> None:
        outcome.problems[lane] = problem
        self._holds[lane] = _Hold(time.monotonic() + _HOLD_SECONDS, problem)

    def _pack(self, rows: Sequence[Row]) -> Iterator[_Packed]:
        """Batches of rows in order; one with a header name that is not UTF-8 travels alone."""
        packed = _Packed(self._producer.new_batch(), [])
        for row in rows:
            parsed = parse_headers(row.headers)
            if parsed.raw:
                yield from _filled(packed)
                packed = _Packed(self._producer.new_batch(raw_names=True), [])
            if packed.builder.append(timestamp=None, key=row.key, value=row.value, headers=parsed.headers) is None:
                yield packed
                packed = _Packed(self._producer.new_batch(), [])
                packed.builder.append(timestamp=None, key=row.key, value=row.value, headers=parsed.headers)
            packed.seqs.append(row.seq)
            if parsed.raw:
                yield packed
                packed = _Packed(self._producer.new_batch(), [])
        yield from _filled(packed)


def _filled(packed: _Packed) -> Iterator[_Packed]:
    if packed.seqs:
        yield packed


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _explain(lane: Lane, packed: _Packed, error: KafkaError) -> str:
    rows = f"{len(packed.seqs)} rows of the outbox from seq {packed.seqs[0]} for {lane[0]}/{lane[1]}"
    if isinstance(error, MessageSizeTooLargeError):
        return f"Kafka refuses {rows}: {packed.builder.size()} bytes are too many; raise the topic's max.message.bytes"
    return f"Kafka did not take {rows}: {error!r}"
