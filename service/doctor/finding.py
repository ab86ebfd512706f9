"""What a check has found."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Severity(StrEnum):
    """From nothing to do to something that breaks a promise or keeps the service from its work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact, how bad it is, and what helps; `remedy` is None only where all is well."""

    check: str
    severity: Severity
    message: str
    remedy: str | None = None


Clock = Callable[[], datetime]


def now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, Severity.OK, message)


def warning(check: str, message: str, remedy: str) -> Finding:
    """It works, but a promise hangs on luck, or will not hold under load."""
    return Finding(check, Severity.WARNING, message, remedy)


def problem(check: str, message: str, remedy: str) -> Finding:
    """It does not work, or breaks a promise."""
    return Finding(check, Severity.PROBLEM, message, remedy)
