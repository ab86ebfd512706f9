"""Wall-clock times of a location (`YYYY-MM-DDThh:mm`) and the instants they stand for.

A time that the clock skips in spring stands for nothing; one that it shows twice in autumn is the first of the two.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=4096)
def nearest_instant(date: str, timezone: str) -> datetime | None:
    """Gives the instant (UTC) of a local time, a skipped one read as if the clock had not changed yet.

    None where the calendar of instants ends.
    """
    try:
        return datetime.fromisoformat(date).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    except OverflowError:
        return None


@lru_cache(maxsize=4096)
def local_instant(date: str, timezone: str) -> datetime | None:
    """Gives the instant (UTC) of a local time, or None when the clock skips it."""
    moment = nearest_instant(date, timezone)
    if moment is None:
        return None
    try:
        back = moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    except OverflowError:
        return None
    return moment if back == datetime.fromisoformat(date) else None


def on_grid(date: str, minutes: int) -> bool:
    """Tells whether a local time lies on a grid of so many minutes, counted from local midnight."""
    return (int(date[11:13]) * 60 + int(date[14:16])) % minutes == 0
