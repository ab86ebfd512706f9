"""What a resync is about and how far it has come, as the database remembers it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.errors import ServiceError
from service.resync.unsent import NOTHING, Span
from service.store.pool import Connection

# Only as much of a snapshot is read as the filters need; without any of them none is.
MATCHES: Final = """
kind = ANY($1::text[]) AND ($2::text IS NULL OR account_id = $2)
AND ($3::text IS NULL OR convert_from(state, 'UTF8')::jsonb ->> 'location_id' = $3)
AND ($4::timestamptz IS NULL OR (convert_from(state, 'UTF8')::jsonb ->> 'updated_at')::timestamptz >= $4)
"""
COUNT: Final = f"SELECT count(*) FROM aggregate WHERE {MATCHES}"  # noqa: S608
BEGIN: Final = """
INSERT INTO resync (resync_id, kinds, account_id, location_id, changed_since, total) VALUES ($1, $2, $3, $4, $5, $6)
"""
UNFINISHED: Final = """
SELECT resync_id, kinds, account_id, location_id, changed_since, total, published, rows_after, rows_upto,
       after_account, after_kind, after_id
FROM resync WHERE finished_at IS NULL ORDER BY started_at DESC LIMIT 1
"""
# The row stays locked until the page is committed: whoever else goes on with the same resync waits, and then loses.
CLAIM: Final = """
SELECT 1 FROM resync
WHERE resync_id = $1 AND (after_account, after_kind, after_id) = ($2, $3, $4) AND finished_at IS NULL FOR UPDATE
"""
MOVE: Final = """
UPDATE resync SET after_account = $2, after_kind = $3, after_id = $4, published = published + $5,
                  rows_after = $6, rows_upto = $7
WHERE resync_id = $1
"""
FINISH: Final = "UPDATE resync SET finished_at = now() WHERE resync_id = $1"

Place = tuple[str, str, str]
START: Final[Place] = ("", "", "")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which aggregates; None is no bound. `changed_since` looks at `updated_at`."""

    kinds: tuple[str, ...] = ("booking", "visit")
    account_id: str | None = None
    location_id: str | None = None
    changed_since: datetime | None = None

    @property
    def parameters(self) -> tuple[object, ...]:
        """The first four parameters of statements with `MATCHES`."""
        return list(self.kinds), self.account_id, self.location_id, self.changed_since


@dataclass(slots=True)
class Bookmark:
    """One resync: `total` is how many aggregates it was about when it began, `after` the last one that is done.

    `rows` are the numbers in the outbox between which lies what may not be sent yet.
    """

    resync_id: str
    selection: Selection
    total: int
    published: int = 0
    after: Place = START
    rows: Span = NOTHING


class ResyncTaken(ServiceError):
    """Somebody else goes on with the same resync."""


async def begin(connection: Connection, selection: Selection) -> Bookmark:
    """Notes a new resync."""
    total: int = await connection.fetchval(COUNT, *selection.parameters)
    bookmark = Bookmark(str(uuid.uuid4()), selection, total)
    await connection.execute(BEGIN, bookmark.resync_id, *selection.parameters, total)
    return bookmark


async def unfinished(connection: Connection) -> Bookmark | None:
    """Gives the newest resync that has not come to its end."""
    row = await connection.fetchrow(UNFINISHED)
    if row is None:
        return None
    resync_id, kinds, account_id, location_id, changed_since, total, published, rows_after, rows_upto, *after = row
    selection = Selection(tuple(kinds), account_id, location_id, changed_since)
    place = (after[0], after[1], after[2])
    return Bookmark(resync_id, selection, total, published, place, (rows_after, rows_upto))


async def claim(connection: Connection, bookmark: Bookmark) -> None:
    """Begins a page in the caller's transaction; raises ResyncTaken when the bookmark is not where it was left."""
    if await connection.fetchval(CLAIM, bookmark.resync_id, *bookmark.after) is None:
        raise ResyncTaken(f"another process goes on with resync {bookmark.resync_id}; let it, or stop it first")


async def move(connection: Connection, bookmark: Bookmark, after: Place, published: int, rows: Span) -> None:
    """Moves the bookmark behind a page, in the transaction that has claimed it."""
    await connection.execute(MOVE, bookmark.resync_id, *after, published, *rows)


async def finish(connection: Connection, bookmark: Bookmark) -> None:
    """Notes that nothing is left."""
    await connection.execute(FINISH, bookmark.resync_id)
