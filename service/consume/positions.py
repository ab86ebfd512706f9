"""Reads where to go on from PostgreSQL, and checks it against what the log holds."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import asyncpg
from aiokafka import TopicPartition

from service.telemetry.lookout import Lookout

_READ = """
SELECT p.topic, p.partition, p.next_offset
FROM progress p JOIN unnest($1::text[], $2::int[]) AS wanted(topic, partition) USING (topic, partition)
"""
_INSERT = """
INSERT INTO progress (topic, partition, next_offset)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) AS missing(topic, partition, next_offset)
ORDER BY topic, partition
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a partition stands: the next offset to handle, and the log's bounds (`end` is one past the last record)."""

    next: int
    begin: int
    end: int

    def problem(self, partition: TopicPartition) -> str | None:
        """What is wrong with the position, and what to check; None when reading can go on there."""
        name = f"{partition.topic}/{partition.partition} is stopped"
        row = f"progress.next_offset of {partition.topic}/{partition.partition}"
        if self.next > self.end:
            return (
                f"{name}: the database has handled it up to offset {self.next}, but the log ends at {self.end}. "
                "Was the topic created anew, does the database belong to another cluster, or did Kafka lose data? "
                f"To go on, set {row}: {self.begin} = from the start, {self.end} = from now"
            )
        if self.next < self.begin:
            return (
                f"{name}: the database goes on at offset {self.next}, but the log begins at {self.begin}, so "
                f"{self.begin - self.next} offsets are gone. Was the service off for longer than the topic's "
                f"retention, or the database restored from an old backup? "
                f"To go on without them, set {row} to {self.begin}"
            )
        return None


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
    async with asyncio.timeout(seconds):
        begin, end = await lookout.bounds(partitions)
        async with pool.acquire() as connection:
            stored = await _read(connection, partitions, prefix)
            missing = {each: begin[each] for each in partitions if each not in stored}
            if missing:
                await _insert(connection, missing, prefix)
                stored = await _read(connection, partitions, prefix)
    return {each: Place(stored[each], begin[each], end[each]) for each in partitions}


async def _read(connection: object, partitions: Collection[TopicPartition], prefix: str) -> dict[TopicPartition, int]:
    topics = [each.topic.removeprefix(prefix) for each in partitions]
    numbers = [each.partition for each in partitions]
    rows = await connection.fetch(_READ, topics, numbers)  # type: ignore[attr-defined]
    return {TopicPartition(prefix + topic, partition): offset for topic, partition, offset in rows}


async def _insert(connection: object, missing: Mapping[TopicPartition, int], prefix: str) -> None:
    topics = [each.topic.removeprefix(prefix) for each in missing]
    numbers = [each.partition for each in missing]
    await connection.execute(_INSERT, topics, numbers, list(missing.values()))  # type: ignore[attr-defined]
