"""Logs as one JSON object a line, with the field names of OpenTelemetry's log data model.

Nothing that a command says gets in: code logs ids, places and counts, and errors appear as what `told` makes of them,
without the values that they happened with. Libraries never log below INFO, since some of them would write out what is
on the wire.
"""

import json
import logging
import os
import platform
import signal
import sys
import traceback
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Final

from service.telemetry.told import told

SEVERITY_NUMBERS: Final = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17, "CRITICAL": 21}
SEVERITY_TEXTS: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
OURS: Final = "service"
TOGGLE: Final = signal.SIGUSR1
MAX_BODY: Final = 8_192

log = logging.getLogger(__name__)


class JsonFormatter(logging.Formatter):
    """Writes a record as ASCII JSON: line breaks of every kind are escaped, so no message can forge a second line."""

    def __init__(self) -> None:
        super().__init__()
        self._resource = resource()

    def format(self, record: logging.LogRecord) -> str:
        """Formats one record."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "severity_text": SEVERITY_TEXTS.get(record.levelname, record.levelname),
            "severity_number": SEVERITY_NUMBERS.get(record.levelname, 0),
            "body": _body(record)[:MAX_BODY],
            "scope": {"name": record.name},
            "resource": self._resource,
        }
        attributes = dict(getattr(record, "attributes", {}))
        if record.exc_info and record.exc_info[1] is not None:
            attributes |= _exception(record.exc_info[1])
        if attributes:
            line["attributes"] = attributes
        return json.dumps(line, default=str)


def set_up_logs(level: str) -> None:
    """Sends all logs to standard error; the level is the service's own, libraries stay at INFO or above."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=max(logging.INFO, logging.getLevelNamesMapping()[level]), handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught


def toggle_on_signal(loop: AbstractEventLoop, hand_on: Callable[[signal.Signals], None] = lambda _: None) -> None:
    """Lets SIGUSR1 switch the service's level to DEBUG and back, here and where it is handed on to."""
    ours = logging.getLogger(OURS)
    usual = ours.level if ours.level > logging.DEBUG else logging.INFO

    def toggle() -> None:
        ours.setLevel(usual if ours.level == logging.DEBUG else logging.DEBUG)
        log.warning("the log level is %s now", logging.getLevelName(ours.level))
        hand_on(TOGGLE)

    loop.add_signal_handler(TOGGLE, toggle)


def resource() -> dict[str, str]:
    """Says who tells this, by OpenTelemetry's names; traces say the same."""
    return {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or "bookstream",
        "service.version": _version(),
        "service.instance.id": f"{platform.node()}:{os.getpid()}",
    }


def _version() -> str:
    try:
        return version("bookstream")
    except PackageNotFoundError:
        return "not installed"


def _body(record: logging.LogRecord) -> str:
    """The message, with errors among its arguments as they may be told."""
    args = record.args
    if isinstance(args, tuple):
        args = tuple(_Told(arg) if isinstance(arg, BaseException) else arg for arg in args)
    message = str(record.msg) if not isinstance(record.msg, BaseException) else told(record.msg)
    try:
        return message % args if args else message
    except (TypeError, ValueError):
        return message


class _Told:
    """An error in the place of a message's argument."""

    def __init__(self, error: BaseException) -> None:
        self._text = told(error)

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def _exception(error: BaseException) -> dict[str, str]:
    """OpenTelemetry's attributes of an exception."""
    return {
        "exception.type": type(error).__qualname__,
        "exception.message": told(error),
        "exception.stacktrace": "\ncaused by:\n".join(_stacks(error)),
    }


def _stacks(error: BaseException) -> Iterator[str]:
    """Where an error and its causes came from, last first: places, without values."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        places = "".join(traceback.format_list(traceback.extract_tb(cause.__traceback__)))
        yield f"Traceback (most recent call last):\n{places}{told(cause)}"
        cause = cause.__cause__ or cause.__context__


def _log_uncaught(kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
    log.critical("the process ends by an error", exc_info=(kind, error, frames))
