"""Pages of snapshots through the outbox, in order with the change events of the same aggregates.

A page is one transaction: bookmark, rows locked FOR SHARE in the order of their keys, states as they stand then, rows
of the outbox. A change that was committed before has its event in the outbox with a smaller number; one that waits for
the lock comes after with a greater one. So a snapshot stands between the changes of its aggregate where it belongs.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg

from service.domain.graph import Graph
from service.errors import ServiceError
from service.outbox.append import append
from service.outbox.row import Row
from service.outbox.snapshot import Standing, snapshot_row
from service.resync.bookmark import MATCHES, Bookmark, Place, claim, finish, move
from service.resync.unsent import NOTHING, Unsent, newest
from service.store.epoch import share_epoch
from service.store.pool import RACE_ERRORS, Connection

log = logging.getLogger(__name__)

PAGE: Final = 200
MOST_WAITING: Final = 2_000
PAGES_PER_SECOND: Final = 5
WAIT_SECONDS: Final = 0.05
RACES: Final = 10

# Without a lock: a filter may pass over much before it finds a page.
NEXT: Final = f"""
SELECT account_id, kind, aggregate_id FROM aggregate
WHERE {MATCHES} AND (account_id, kind, aggregate_id) > ($5, $6, $7)
ORDER BY account_id, kind, aggregate_id LIMIT $8
"""  # noqa: S608
# In the order in which batches lock too: that of bytes.
LOCK: Final = """
SELECT a.account_id, a.kind, a.aggregate_id, a.version, a.state
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (account_id, kind, aggregate_id)
JOIN aggregate a USING (account_id, kind, aggregate_id)
ORDER BY a.account_id COLLATE "C", a.kind COLLATE "C", a.aggregate_id COLLATE "C" FOR SHARE OF a
"""

Tell = Callable[[Bookmark, int], None]


class Resync:
    """Publishes what a bookmark is about, from where it stands; `rate` is in snapshots a second, None for no bound.

    Never more than `MOST_WAITING` of its rows are unsent in the outbox: while the relay is behind, or away, it waits.
    `tell` is called after each page and while it waits, with that number.
    """

    def __init__(
        self,
        connection: "asyncpg.Connection[Any]",
        graphs: Mapping[str, Graph],
        bookmark: Bookmark,
        *,
        rate: float | None = None,
        tell: Tell = lambda *_: None,
    ) -> None:
        self._connection = connection
        self._graphs = graphs
        self._bookmark = bookmark
        self._rate = rate
        self._tell = tell
        self._unsent = Unsent([] if bookmark.rows == NOTHING else [bookmark.rows])
        self._page = PAGE if rate is None else max(1, min(PAGE, int(rate / PAGES_PER_SECOND)))

    async def run(self) -> None:
        """Publish to the end; may be cancelled at any time, and gone on with later."""
        while places := await self._next():
            await self._room(len(places))
            begun = time.monotonic()
            await self._publish(places)
            self._tell(self._bookmark, await self._unsent.count(self._connection))
            if self._rate is not None:
                # Each page has its own time, so that nothing is made up for at once after a wait.
                await asyncio.sleep(max(0.0, begun + len(places) / self._rate - time.monotonic()))
        await finish(self._connection, self._bookmark)

    async def _next(self) -> Sequence[Place]:
        bookmark = self._bookmark
        rows = await self._connection.fetch(NEXT, *bookmark.selection.parameters, *bookmark.after, self._page)
        return [(account_id, kind, aggregate_id) for account_id, kind, aggregate_id in rows]

    async def _room(self, rows: int) -> None:
        """Return when so many rows more may wait."""
        while (waiting := await self._unsent.count(self._connection)) + rows > MOST_WAITING:
            self._tell(self._bookmark, waiting)
            await asyncio.sleep(WAIT_SECONDS)

    async def _publish(self, places: Sequence[Place]) -> None:
        for _ in range(RACES):
            try:
                await self._transact(places)
            except RACE_ERRORS as error:
                log.info("a page met another transaction and is tried again: %s", error)
            else:
                return
        raise ServiceError("the resync met other transactions again and again; go on later with --resume")

    async def _transact(self, places: Sequence[Place]) -> None:
        connection, bookmark = self._connection, self._bookmark
        async with connection.transaction(isolation="read_committed"):
            await claim(connection, bookmark)
            rows = await self._rows(connection, places, await share_epoch(connection))
            before = await newest(connection)
            await append(connection, rows)
            page = (before, await newest(connection))
            span = self._unsent.span(page)
            await move(connection, bookmark, places[-1], len(places), span)
        self._unsent.pages.append(page)
        bookmark.rows, bookmark.after = span, places[-1]
        bookmark.published += len(places)

    async def _rows(self, connection: Connection, places: Sequence[Place], epoch: int) -> list[Row]:
        found = await connection.fetch(LOCK, *zip(*places, strict=True))
        return [self._row(Standing(*row), epoch) for row in found]

    def _row(self, standing: Standing, epoch: int) -> Row:
        try:
            return snapshot_row(standing, self._graphs, epoch, self._bookmark.resync_id)
        except KeyError as error:
            raise ServiceError(
                f"{standing.kind} {standing.account_id}/{standing.id}: graph or state {error} is not known here; "
                "set BOOKSTREAM_GRAPHS_DIR as the service has it, then go on with --resume"
            ) from error
