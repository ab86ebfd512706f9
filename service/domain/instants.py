"""Instants between text (canonical, UTC, `Z`, no fraction when it is zero) and datetime."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def instant(text: str) -> datetime:
    """Reads a canonical instant."""
    return datetime.fromisoformat(text)


@lru_cache(maxsize=4096)
def instant_text(moment: datetime) -> str:
    """Writes an aware datetime as a canonical instant."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    micros = utc.microsecond
    spec = "seconds" if micros == 0 else "milliseconds" if micros % 1000 == 0 else "microseconds"
    return utc.isoformat(timespec=spec) + "Z"
