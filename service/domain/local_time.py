"""Wall-clock times of a location (`YYYY-MM-DDThh:mm`) and the instants they stand for.

A time that the clock skips in spring stands for nothing; one that it shows twice in autumn is the first of the two.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

EARLIEST = datetime.min.replace(tzinfo=UTC)
LAST_MINUTE = datetime.max.replace(second=0, microsecond=0, tzinfo=UTC)


@lru_cache(maxsize=4096)
def nearest_instant(date: str, timezone: str) -> datetime:
    """Gives the instant (UTC) of a local time, a skipped one read as if the clock had not changed yet.

    One that lies beyond the calendar of instants is its first or last minute.
    """
    local = datetime.fromisoformat(date)
    try:
        return local.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    except OverflowError:
        return EARLIEST if local.year == EARLIEST.year else LAST_MINUTE


@lru_cache(maxsize=4096)
def local_instant(date: str, timezone: str) -> datetime | None:
    """Gives the instant (UTC) of a local time, or None when the clock skips it or the calendar ends before."""
    moment = nearest_instant(date, timezone)
    try:
        back = moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    except OverflowError:
        return None
    return moment if back == datetime.fromisoformat(date) else None


def on_grid(date: str, minutes: int) -> bool:
    """Tells whether a local time lies on a grid of so many minutes, counted from local midnight."""
    return (int(date[11:13]) * 60 + int(date[14:16])) % minutes == 0
