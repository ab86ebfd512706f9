"""How many rows of a resync still wait in the outbox.

Counting the whole outbox would walk over everything that was sent and not vacuumed yet, and count what others wrote. So
the numbers between which each page was written are kept; a page is forgotten when no row is left between them.
"""

from dataclasses import dataclass, field
from typing import Final

from service.store.pool import Connection

# Seen from inside a transaction that has just written: its own rows are at or before this one.
NEWEST: Final = "SELECT coalesce(max(seq), 0) FROM outbox"
COUNT: Final = """
SELECT (SELECT count(*) FROM outbox WHERE seq > page.after AND seq <= page.upto)
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS page (after, upto, number) ORDER BY number
"""

Span = tuple[int, int]
NOTHING: Final[Span] = (0, 0)


async def newest(connection: Connection) -> int:
    """Gives the greatest number that is visible; whatever is written later in this transaction gets a greater one."""
    number: int = await connection.fetchval(NEWEST)
    return number


@dataclass(slots=True)
class Unsent:
    """Pages that may wait, oldest first: each lies after the first and up to the second number."""

    pages: list[Span] = field(default_factory=list)

    def span(self, page: Span) -> Span:
        """Gives the numbers between which everything lies that waits, this page too."""
        return (self.pages[0][0] if self.pages else page[0]), page[1]

    async def count(self, connection: Connection) -> int:
        """Counts what waits, and forgets pages that are gone."""
        if not self.pages:
            return 0
        rows = await connection.fetch(COUNT, [after for after, _ in self.pages], [upto for _, upto in self.pages])
        counts = [row[0] for row in rows]
        self.pages = [page for page, count in zip(self.pages, counts, strict=True) if count]
        return sum(counts)
