"""Step 4: moves the consumed offsets, which fences off every process that has lost its partition.

The same statement tells the epoch and whether consumption is paused, as of a moment when the lock on `progress` is
held: who begins an epoch or a pause waits for the batches that have it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from service.errors import PartitionLost, Paused
from service.record import Span
from service.store.epoch import known_epoch
from service.store.pool import Connection

MOVE: Final = """
WITH moved AS (
    UPDATE progress SET next_offset = span.next
    FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[]) AS span (topic, partition, expected, next)
    WHERE progress.topic = span.topic AND progress.partition = span.partition AND progress.next_offset = span.expected
    RETURNING 1
)
SELECT (SELECT count(*) FROM moved), (SELECT max(epoch) FROM epoch),
       coalesce((SELECT max(pause_id) FROM pause), 0), EXISTS (SELECT 1 FROM pause WHERE ended_at IS NULL)
"""


class Moved(NamedTuple):
    """What a batch is told at its start: the epoch of its events, and the last pause that there was."""

    epoch: int
    pause_id: int


async def move_progress(connection: Connection, spans: Sequence[Span]) -> Moved:
    """Moves each partition from the expected offset to the next.

    Raises Paused while consumption is paused, PartitionLost when a partition is elsewhere.
    """
    ordered = sorted(spans, key=lambda span: (span.topic, span.partition))
    moved, epoch, pause_id, paused = await connection.fetchrow(  # type: ignore[misc]  # always one row
        MOVE,
        [span.topic for span in ordered],
        [span.partition for span in ordered],
        [span.expected for span in ordered],
        [span.next for span in ordered],
    )
    if paused:
        raise Paused("consumption is paused; `bookstream resume` goes on")
    if moved != len(ordered):
        named = ", ".join(f"{span.topic}/{span.partition} at {span.expected}" for span in ordered)
        raise PartitionLost(f"not all of these were at the expected offset: {named}")
    return Moved(known_epoch(epoch), pause_id)
