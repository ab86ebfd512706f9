"""Reads where to go on from PostgreSQL, and checks it against what the log holds and whose log it is."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from service.consume.identity import Identity, identify
from service.store.pool import Connection
from service.telemetry.lookout import Lookout

READ: Final = """
SELECT p.topic, p.partition, p.next_offset, p.cluster_id, p.topic_id
FROM progress p JOIN unnest($1::text[], $2::int[]) AS wanted (topic, partition) USING (topic, partition)
"""
INSERT: Final = """
INSERT INTO progress (topic, partition, next_offset, cluster_id, topic_id)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::uuid[])
ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""
# What nothing had told yet, such as a version of the service before, is taken as it is found.
ADOPT: Final = """
UPDATE progress SET cluster_id = coalesce(progress.cluster_id, found.cluster_id),
                    topic_id = coalesce(progress.topic_id, found.topic_id)
FROM unnest($1::text[], $2::int[], $3::text[], $4::uuid[]) AS found (topic, partition, cluster_id, topic_id)
WHERE progress.topic = found.topic AND progress.partition = found.partition
  AND (progress.cluster_id IS NULL OR progress.topic_id IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose offsets they are; None where it is not known."""

    cluster: str | None = None
    topic: UUID | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a partition stands: the next offset to handle, and the log's bounds (`end` is one past the last record).

    `stored` is whose offset it is, `found` whose log; `topic` is the logical name.
    """

    topic: str
    partition: int
    next: int
    begin: int
    end: int
    stored: Origin = Origin()
    found: Origin = Origin()

    @property
    def problem(self) -> str | None:
        """What is wrong with the position, and the command that settles it; None when reading can go on there."""
        told = self._of_another() or self._out_of_bounds()
        if told is None:
            return None
        name = f"{self.topic}/{self.partition}"
        return (
            f"{name} is stopped: {told} To go on, `bookstream positions set {name} --to earliest` (all that the log "
            "holds; what was decided before is only answered again), `--to latest` (what comes from now on; what lies "
            "there is passed over), or an offset"
        )

    def _of_another(self) -> str | None:
        before, now = self.stored, self.found
        if before.cluster is not None and now.cluster is not None and before.cluster != now.cluster:
            return (
                f"the database has handled it up to offset {self.next} of cluster {before.cluster}, but this is "
                f"cluster {now.cluster}. Does BOOKSTREAM_KAFKA_BOOTSTRAP or BOOKSTREAM_DATABASE_URL lead elsewhere?"
            )
        if before.topic is not None and now.topic is not None and before.topic != now.topic:
            return (
                f"the database has handled it up to offset {self.next} of a topic with the id {before.topic}, but the "
                f"one of this name has the id {now.topic}. It was deleted and created anew."
            )
        return None

    def _out_of_bounds(self) -> str | None:
        if self.next > self.end:
            return (
                f"the database has handled it up to offset {self.next}, but the log ends at {self.end}. "
                "Was the topic created anew, does the database belong to another cluster, or did Kafka lose data?"
            )
        if self.next < self.begin:
            return (
                f"the database goes on at offset {self.next}, but the log begins at {self.begin}, so "
                f"{self.begin - self.next} offsets are gone. Was the service off for longer than the topic's "
                "retention, or the database restored from an old backup?"
            )
        return None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the log holds of some partitions, and whose it is."""

    begins: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    identity: Identity

    def origin(self, partition: TopicPartition) -> Origin:
        """Whose log it is."""
        return Origin(self.identity.cluster, self.identity.topics.get(partition.topic))


async def read_bounds(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> Bounds:
    """Asks Kafka; raises what aiokafka raises."""
    begins, ends, identity = await asyncio.gather(
        consumer.beginning_offsets(partitions),
        consumer.end_offsets(partitions),
        identify(consumer._client, sorted({each.topic for each in partitions})),  # noqa: SLF001  it has no such request
    )
    return Bounds(begins, ends, identity)


async def read_places(
    pool: "asyncpg.Pool[asyncpg.Record]",
    lookout: Lookout,
    partitions: Collection[TopicPartition],
    prefix: str,
    seconds: float,
) -> dict[TopicPartition, Place]:
    """The place of each partition; one without a row of progress gets it at the log's beginning.

    Raises what asyncpg and aiokafka raise, `TimeoutError` after so many seconds included.
    """
    wanted = list(partitions)
    async with asyncio.timeout(seconds):
        bounds = await lookout.ask(lambda client: read_bounds(client, wanted))
        async with pool.acquire() as connection:
            places = await stored_places(connection, bounds, wanted, prefix)
            if missing := [each for each in wanted if each not in places]:
                await _write(connection, INSERT, missing, prefix, bounds, [bounds.begins[each] for each in missing])
                places = await stored_places(connection, bounds, wanted, prefix)
            if nameless := [each for each, place in places.items() if _is_nameless(place)]:
                await _write(connection, ADOPT, nameless, prefix, bounds)
    return places


async def stored_places(
    connection: Connection, bounds: Bounds, partitions: Collection[TopicPartition], prefix: str
) -> dict[TopicPartition, Place]:
    """The places of those that have a row of progress."""
    topics = [each.topic.removeprefix(prefix) for each in partitions]
    rows = await connection.fetch(READ, topics, [each.partition for each in partitions])
    places = {}
    for topic, number, offset, cluster_id, topic_id in rows:
        partition = TopicPartition(prefix + topic, number)
        places[partition] = Place(
            topic,
            number,
            offset,
            bounds.begins[partition],
            bounds.ends[partition],
            Origin(cluster_id, topic_id),
            bounds.origin(partition),
        )
    return places


def _is_nameless(place: Place) -> bool:
    return place.problem is None and place.stored != place.found and None in (place.stored.cluster, place.stored.topic)


async def _write(
    connection: Connection,
    statement: str,
    partitions: Sequence[TopicPartition],
    prefix: str,
    bounds: Bounds,
    *more: Sequence[int],
) -> None:
    origins = [bounds.origin(each) for each in partitions]
    await connection.execute(
        statement,
        [each.topic.removeprefix(prefix) for each in partitions],
        [each.partition for each in partitions],
        *more,
        [origin.cluster for origin in origins],
        [origin.topic for origin in origins],
    )
