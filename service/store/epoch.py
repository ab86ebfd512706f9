"""The epoch of `ce_sequence`: one more with each restore, so that what is applied after it is greater than all before.

A transaction that writes events reads it under a lock that beginning a new one conflicts with: batches have it by
moving progress, in the same statement. So none that has read an old epoch can commit once a new one has begun.
"""

from typing import Final

from service.errors import ServiceError
from service.store.pool import Connection

LAST: Final = 9_999
SHARE: Final = "LOCK TABLE progress IN ROW EXCLUSIVE MODE"
READ: Final = "SELECT max(epoch) FROM epoch"
ALONE: Final = "LOCK TABLE progress IN SHARE ROW EXCLUSIVE MODE"
BEGIN: Final = "INSERT INTO epoch (epoch) VALUES ($1)"


class EpochUnknown(ServiceError):
    """The table that every migrated database has a row in is empty."""


def known_epoch(epoch: int | None) -> int:
    """Gives the epoch that was read; raises EpochUnknown when there was none."""
    if epoch is None:
        raise EpochUnknown("the table epoch is empty; `bookstream restored` begins one that is greater than all before")
    return epoch


async def share_epoch(connection: Connection) -> int:
    """Gives the epoch, which stays until the caller's transaction ends."""
    await connection.execute(SHARE)
    return known_epoch(await connection.fetchval(READ))


async def begin_epoch(connection: Connection, seen: int) -> int:
    """Begins an epoch that is greater than the last one here and than one that was seen elsewhere; gives it.

    Waits for the transactions that write events in the last one. Raises ServiceError when there are no more.
    """
    async with connection.transaction(isolation="read_committed"):
        await connection.execute(ALONE)
        last = await connection.fetchval(READ)
        following = max(seen, -1 if last is None else last) + 1
        if following > LAST:
            raise ServiceError(f"epoch {following} does not fit into ce_sequence, {LAST} is the last")
        await connection.execute(BEGIN, following)
    return following
