"""Keeps a client library from flooding the log during an outage."""

import logging
import time
from collections.abc import Callable

_KEPT_TEMPLATES = 256
_MINUTE = 60.0


class RateLimit(logging.Filter):
    """Lets the first records of each message template pass, then so many a minute, and says how many it dropped."""

    def __init__(self, per_minute: int = 4, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._per_minute = per_minute
        self._clock = clock
        self._seen: dict[tuple[str, int, str], tuple[float, int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may pass; one that follows dropped ones is told apart by a count."""
        key = (record.name, record.levelno, str(record.msg))
        now = self._clock()
        began, passed, dropped = self._seen.get(key, (now, 0, 0))
        if now - began >= _MINUTE:
            began, passed = now, 0
        if passed >= self._per_minute:
            self._seen[key] = (began, passed, dropped + 1)
            return False
        if dropped:
            record.msg = f"{record.getMessage()} ({dropped} more like this were left out)"
            record.args = None
        if key not in self._seen and len(self._seen) >= _KEPT_TEMPLATES:
            self._seen.pop(next(iter(self._seen)))
        self._seen[key] = (began, passed + 1, 0)
        return True


def quieten(logger_name: str = "aiokafka", per_minute: int = 4) -> None:
    """Limit what a library's loggers write, those that exist now and those below them that come later.

    Filters of a logger are not inherited, so each existing one gets it; the modules of a client are imported by then.
    """
    limit = RateLimit(per_minute)
    names = [name for name in logging.Logger.manager.loggerDict if name.startswith(f"{logger_name}.")]
    for name in (logger_name, *names):
        logger = logging.getLogger(name)
        if not any(isinstance(each, RateLimit) for each in logger.filters):
            logger.addFilter(limit)
