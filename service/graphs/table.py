"""Typed reading of a TOML table that collects what is wrong instead of stopping at it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

LONGEST: Final = timedelta(days=3660)
_NAME_LENGTH: Final = 64
_SNAKE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a graph file; `where` names file, state and action for the messages."""

    where: str
    values: Mapping[str, object]
    mistakes: list[str]

    def wrong(self, message: str) -> None:
        """Record one mistake."""
        self.mistakes.append(f"{self.where}: {message}")

    def only(self, *known: str) -> None:
        """Every key other than these is a mistake."""
        for key in self.values:
            if key not in known:
                self.wrong(f"unknown key {key!r} (known: {', '.join(known)})")

    def has(self, key: str) -> bool:
        """Whether the key is there, whatever its value."""
        return key in self.values

    def text(self, key: str) -> str | None:
        """A string that isn't empty; None where it is missing or wrong."""
        value = self.values.get(key, _MISSING)
        if isinstance(value, str) and value:
            return value
        self._mistyped(key, value, "text")
        return None

    def flag(self, key: str) -> bool | None:
        """A boolean; None where it is missing or wrong."""
        value = self.values.get(key, _MISSING)
        if isinstance(value, bool):
            return value
        self._mistyped(key, value, "true or false")
        return None

    def integer(self, key: str, low: int, high: int) -> int | None:
        """A whole number within the bounds; None where it is missing or wrong."""
        value = self.values.get(key, _MISSING)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self._mistyped(key, value, f"a whole number from {low} to {high}")
        return None

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of strings that isn't empty and repeats nothing; None where it is missing or wrong."""
        value = self.values.get(key, _MISSING)
        if isinstance(value, list):
            found = tuple(item for item in value if isinstance(item, str) and item)
            if found and len(found) == len(value) == len(set(found)):
                return found
        self._mistyped(key, value, "a list of different names, not empty")
        return None

    def duration(self, key: str) -> timedelta | None:
        """A duration such as "90s", "5m", "1h" or "2d"; None where it is missing or wrong."""
        value = self.values.get(key, _MISSING)
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
            if duration <= LONGEST:
                return duration
        self._mistyped(key, value, f'a duration such as "90s", "5m", "1h" or "2d", at most {LONGEST.days} days')
        return None

    def table(self, key: str) -> "Table | None":
        """A table within this one; None where it is missing or wrong."""
        value = self.values.get(key, _MISSING)
        if isinstance(value, dict):
            return Table(f"{self.where}: {key}", value, self.mistakes)
        self._mistyped(key, value, "a table")
        return None

    def tables(self, key: str, kind: str) -> dict[str, "Table"]:
        """The named tables below a key, each called by its kind and name in messages."""
        inner = self.table(key)
        found: dict[str, Table] = {}
        for name, value in {} if inner is None else inner.values.items():
            one = Table(f"{self.where}: {kind} {name!r}", value if isinstance(value, dict) else {}, self.mistakes)
            if not isinstance(value, dict):
                one.wrong(f"must be a table, is {value!r}")
            one.snake(name)
            found[name] = one
        return found

    def snake(self, name: str) -> None:
        """A name that isn't lower snake_case, or is too long, is a mistake."""
        if not _SNAKE.fullmatch(name) or len(name) > _NAME_LENGTH:
            self.wrong(f"the name {name!r} is not lower snake_case of at most {_NAME_LENGTH} characters")

    def _mistyped(self, key: str, value: object, wanted: str) -> None:
        if value is not _MISSING:
            self.wrong(f"{key} must be {wanted}, is {value!r}")
