"""Writes rows into the outbox, in the caller's transaction."""

from collections.abc import Sequence
from typing import Final

from service.outbox.row import Row
from service.store.pool import Connection

# WITH ORDINALITY keeps the order: seq is taken row by row as they are inserted.
APPEND: Final = """
INSERT INTO outbox (topic, key, headers, value)
SELECT topic, key, headers, value
FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[])
    WITH ORDINALITY AS row (topic, key, headers, value, position)
ORDER BY position
"""


async def append(connection: Connection, rows: Sequence[Row]) -> None:
    """Appends rows in their order."""
    if rows:
        await connection.execute(
            APPEND,
            [row.topic for row in rows],
            [row.key for row in rows],
            [row.headers for row in rows],
            [row.value for row in rows],
        )
