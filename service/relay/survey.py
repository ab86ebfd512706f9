"""What operators want to know of the outbox: how much waits, for how long, and how old published events are."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import asyncpg

from schemas.headers import BOOKING_EVENTS, CE_TIME, TRACEPARENT, VISIT_EVENTS
from service.relay.window import Row
from service.telemetry.meters import Meters
from service.telemetry.names import MOST_COUNTED, OUTBOX_AGE, OUTBOX_ROWS

# Rows are appended in the order of their numbers, so the first is the oldest.
AGE: Final = """
SELECT coalesce((
    SELECT greatest(0, extract(epoch FROM clock_timestamp() - created_at))
    FROM outbox WHERE seq >= $1 ORDER BY seq LIMIT 1
), 0)::float8
"""
ROWS: Final = "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE seq >= $1 LIMIT $2) AS waiting"

EVENT_TOPICS: Final = frozenset({BOOKING_EVENTS, VISIT_EVENTS})
_TIME: Final = f'"{CE_TIME}","'.encode()
_TRACE: Final = f'"{TRACEPARENT}","'.encode()
_SAMPLED: Final = re.compile(_TRACE + rb'(00-[0-9a-f]{32}-[0-9a-f]{16}-0[13])"')


async def survey_outbox(pool: "asyncpg.Pool[Any]", meters: Meters, low: int, *, count: bool) -> None:
    """Measures the outbox from a lower bound on; whoever is not the owner counts nothing."""
    try:
        age = await pool.fetchval(AGE, low)
        rows = await pool.fetchval(ROWS, low, MOST_COUNTED) if count else None
    except BaseException:
        meters.replace(OUTBOX_AGE, {})
        meters.replace(OUTBOX_ROWS, {})
        raise
    meters.replace(OUTBOX_AGE, {(): age})
    meters.replace(OUTBOX_ROWS, {} if rows is None else {(): rows})


def append_times(rows: Sequence[Row]) -> Iterable[tuple[float, int]]:
    """When the commands of events were appended, in seconds since 1970, and of how many events each time is.

    It is the events' `ce_time`, read from the bytes, where it stands before any header that a sender can choose.
    """
    # The broker gives one time to all that it was sent at once.
    times = Counter(
        [
            headers[at + len(_TIME) : headers.find(b'"', at + len(_TIME))]
            for _, topic, _, headers, _ in rows
            if topic in EVENT_TOPICS and (at := headers.find(_TIME)) >= 0
        ]
    )
    for text, count in times.items():
        if (seconds := _seconds(text)) is not None:
            yield seconds, count


def sampled_traceparents(rows: Sequence[Row]) -> Iterable[str]:
    """The traces that the senders of rows' commands record, each once; read from the bytes too."""
    seen = set()
    for row in rows:
        found = _SAMPLED.match(row.headers, max(0, row.headers.rfind(_TRACE)))
        if found is not None and found[1] not in seen:
            seen.add(found[1])
            yield found[1].decode()


@lru_cache(maxsize=1024)
def _seconds(text: bytes) -> float | None:
    try:
        return datetime.fromisoformat(text.decode()).timestamp()
    except ValueError:
        return None
