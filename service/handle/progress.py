"""Step 4: moves the consumed offsets, which fences off every process that has lost its partition."""

from collections.abc import Sequence
from typing import Final

from service.errors import PartitionLost
from service.record import Span
from service.store.pool import Connection

MOVE: Final = """
UPDATE progress SET next_offset = span.next
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[]) AS span (topic, partition, expected, next)
WHERE progress.topic = span.topic AND progress.partition = span.partition AND progress.next_offset = span.expected
"""


async def move_progress(connection: Connection, spans: Sequence[Span]) -> None:
    """Moves each partition from the expected offset to the next; raises PartitionLost when one is elsewhere."""
    ordered = sorted(spans, key=lambda span: (span.topic, span.partition))
    status = await connection.execute(
        MOVE,
        [span.topic for span in ordered],
        [span.partition for span in ordered],
        [span.expected for span in ordered],
        [span.next for span in ordered],
    )
    if status != f"UPDATE {len(ordered)}":
        named = ", ".join(f"{span.topic}/{span.partition} at {span.expected}" for span in ordered)
        raise PartitionLost(f"not all of these were at the expected offset: {named}")
