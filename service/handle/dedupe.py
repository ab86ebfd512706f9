"""Step 5: which commands were decided before; and, at the end, remembering those decided now.

The memory is read before the decisions and written after them, with the outcome, in one statement each: a row is
never updated. A command that another transaction decided in between shows as a row that was not inserted. Where the
memory was not read before, a row that is there breaks the statement: PostgreSQL then needn't look for each row before
it inserts it, which takes a quarter of the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import asyncpg

from service.handle.memory import Memory
from service.received import Received
from service.store.pool import Connection

MemoryKey = tuple[str, bytes]

RECALL: Final = """
SELECT inbox.account_id, inbox.command_key, inbox.content_hash, inbox.outcome
FROM unnest($1::text[], $2::bytea[]) AS asked (account_id, command_key)
JOIN inbox USING (account_id, command_key)
"""
REMEMBER: Final = """
INSERT INTO inbox (account_id, command_key, content_hash, outcome)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[])
"""
REMEMBER_NEW: Final = REMEMBER + "ON CONFLICT DO NOTHING"


async def recall(connection: Connection, commands: Iterable[Received]) -> Mapping[MemoryKey, Memory]:
    """Gives what is remembered of these commands."""
    keys = {received.memory_key for received in commands}
    rows = await connection.fetch(RECALL, [account for account, _ in keys], [key for _, key in keys])
    return {(account, key): Memory(content, outcome) for account, key, content, outcome in rows}


async def remember(connection: Connection, memories: Sequence[tuple[MemoryKey, Memory]], *, recalled: bool) -> bool:
    """Writes what was decided, in the order of the keys; False when one of them has been decided elsewhere.

    Unless the memory was `recalled` before, the caller then has to go back to its savepoint.
    """
    if not memories:
        return True
    # No two have one key, so that no more than keys are compared.
    rows = sorted([(*key, *memory) for key, memory in memories])
    try:
        status = await connection.execute(REMEMBER_NEW if recalled else REMEMBER, *zip(*rows, strict=True))
    except asyncpg.UniqueViolationError:
        return False
    return status == f"INSERT 0 {len(rows)}"
