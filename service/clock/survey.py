"""What operators want to know of timers: how many are due and not decided, and how late the oldest is."""

from typing import Any, Final

import asyncpg

from service.telemetry.meters import Meters
from service.telemetry.names import MOST_COUNTED, TIMERS_DUE, TIMERS_LATE

LATE: Final = "SELECT coalesce(greatest(0, extract(epoch FROM now() - min(due_at))), 0)::float8 FROM timer"
DUE: Final = "SELECT count(*) FROM (SELECT 1 FROM timer WHERE due_at <= now() LIMIT $1) AS due"


async def survey_timers(pool: "asyncpg.Pool[Any]", meters: Meters, *, count: bool) -> None:
    """Measures the timers; whoever is not the owner counts nothing."""
    try:
        late = await pool.fetchval(LATE)
        due = await pool.fetchval(DUE, MOST_COUNTED) if count else None
    except BaseException:
        meters.replace(TIMERS_LATE, {})
        meters.replace(TIMERS_DUE, {})
        raise
    meters.replace(TIMERS_LATE, {(): late})
    meters.replace(TIMERS_DUE, {} if due is None else {(): due})
