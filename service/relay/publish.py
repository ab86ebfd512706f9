"""Sends rows to Kafka: partitions side by side, each in order, and says which rows it has acknowledged."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from service.partitioner import partition
from service.relay.holds import WHOLE_TOPIC, Holds, Lane
from service.relay.producer import Producer, TopicUnknownError
from service.relay.sending import Sending
from service.relay.window import Page, Row
from service.store.lease import HEARTBEAT_SECONDS, Lease

# So long a page waits for a lane that Kafka neither takes nor refuses, while a broker answers.
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a page: the rows acknowledged, late ones of earlier pages among them, and why others wait.

    `freed`: lanes that were held are not any more, so that rows behind this page may be theirs.
    """

    confirmed: Sequence[Row]
    problems: Mapping[Lane, str]
    freed: bool


class Publisher:
    """Publishes pages through a producer, lanes side by side.

    A lane whose send has failed is held for a moment, all of it, so that no row overtakes and the others flow. One that
    Kafka neither takes nor refuses (no leader, too few replicas in sync) is set aside: it is held while its batch is
    under way, which the producer tries again by itself, and read again once that has ended.
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
        self._aside: list[Sending] = []
        # Referred to here, as long as they last.
        self._left: set[asyncio.Task[None]] = set()

    async def publish(self, page: Page, lease: Lease) -> Outcome:
        """Send what is not held and wait for the acknowledgements, showing the lease alive meanwhile.

        When the lease is lost nothing further is sent, and its error is raised once nothing of the page is under way
        any more. When it is time to give up, what is still under way is left behind unconfirmed.
        """
        self._halted = False
        # A late batch that has ended is only looked at below, and its rows are deleted after that.
        tried = self.holds.release(page, but={each.lane for each in self._aside})
        lanes = await self._lanes(page.rows)
        if lanes or self._aside:
            await lease.beat_if_due()
        sendings = [Sending(lane, rows, self._producer, self.holds, self._is_halted) for lane, rows in lanes.items()]
        try:
            await self._answered(sendings, lease, tried)
        except asyncio.CancelledError:
            await _cancel({each.task for each in sendings})
            raise
        finally:
            self._halted = True
            await self._ended({each.task for each in sendings if each not in self._aside and not each.task.done()})
        confirmed = [row for each in (*sendings, *self._aside) for row in each.take()]
        self._let_go()
        return Outcome(confirmed, self.holds.problems(), freed=self.holds.free(tried))

    @property
    def has_aside(self) -> bool:
        """Whether batches that were set aside are under way."""
        return bool(self._aside)

    def forget(self) -> None:
        """When the lease has ended, and nothing more can be sent: hold nothing, and leave what was set aside."""
        if self._aside:
            self._producer.retire()
        for each in self._aside:
            self._left.add(each.task)
            each.task.add_done_callback(self._left.discard)
        self._aside, self.holds = [], Holds()

    def drop_left(self) -> None:
        """Once its producer has ended: nobody tells any more of what was left behind."""
        for task in self._left:
            task.cancel()

    def _is_halted(self) -> bool:
        return self._halted

    async def _answered(self, sendings: Sequence[Sending], lease: Lease, tried: Container[Lane]) -> None:
        """Wait until all have ended or were set aside; those that were held before have less time for it."""
        under_way = {each.task for each in sendings}
        while under_way and not self._give_up():
            _, under_way = await asyncio.wait(under_way, timeout=HEARTBEAT_SECONDS)
            if not under_way:
                return
            await lease.beat()
            stuck = [
                each
                for each in sendings
                if each.task in under_way
                and each.stuck_for() >= (HEARTBEAT_SECONDS if each.lane in tried else PATIENCE_SECONDS)
            ]
            # A cluster that is away is waited for: there is nothing that could go on.
            if stuck and await self._producer.answers():
                for each in stuck:
                    if not each.task.done():
                        each.set_aside()
                        self._aside.append(each)
                under_way -= {each.task for each in self._aside}

    async def _ended(self, under_way: set[asyncio.Task[None]]) -> None:
        while under_way and not self._give_up():
            self._waiting()
            _, under_way = await asyncio.wait(under_way, timeout=HEARTBEAT_SECONDS)
        await _cancel(under_way)

    def _let_go(self) -> None:
        """Lanes whose late batch has ended may be read again: what was acknowledged is deleted by then."""
        for each in self._aside:
            if each.task.done():
                self.holds.end(each.lane)
        self._aside = [each for each in self._aside if not each.task.done()]

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


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
