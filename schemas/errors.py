"""Turns what pydantic found wrong with a command into the pointers and the detail of a refusal."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from pydantic import ValidationError

from schemas.commands import IMMUTABLE
from schemas.types import is_clean

Detail = Literal["invalid_field", "unknown_field", "immutable_field"]

MAX_PROBLEMS: Final = 100
MAX_POINTER: Final = 500
_KEY_MARK: Final = "[key]"
_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_long": "must have at most {max_length} items",
    "literal_error": "must be {expected}",
    "string_unicode": "has a member whose name is no valid Unicode",
}


def pointer(parts: Iterable[str | int]) -> str:
    """Writes a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def problems(error: ValidationError, command_type: str) -> tuple[Detail, list[tuple[str, str]]]:
    """Returns the detail of the refusal and a pointer with a short text for each thing that is wrong.

    A pointer comes once, with the first text found for it. As lists on the wire hold at most 100 items and texts 500
    characters, there are at most 100 of them, and one that is no such text is shortened to what holds the member.
    """
    immutable = IMMUTABLE.get(command_type, frozenset())
    found: dict[str, str] = {}
    kinds: set[Detail] = set()
    for line in error.errors(include_url=False):
        parts = _location(line)
        place = pointer(parts)
        kind: Detail = "invalid_field"
        if line["type"] == "extra_forbidden":
            kind = "immutable_field" if place in immutable else "unknown_field"
        kinds.add(kind)
        while len(place) > MAX_POINTER or not is_clean(place):
            parts = parts[:-1]
            place = pointer(parts)
        if len(found) < MAX_PROBLEMS:
            found.setdefault(place, _message(kind, line))
    detail = kinds.pop() if len(kinds) == 1 else "invalid_field"
    return detail, list(found.items())


def _location(line: Any) -> tuple[str | int, ...]:
    """Takes the mark of a wrong key off; a member that is itself called so has another input than its own name."""
    parts: tuple[str | int, ...] = line["loc"]
    value = line["input"]
    if len(parts) > 1 and parts[-1] == _KEY_MARK and isinstance(value, str):
        # Lone surrogates come as replacement characters in a location.
        key = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        return parts[:-1] if key == parts[-2] else parts
    return parts


def _message(kind: Detail, line: Any) -> str:
    if kind != "invalid_field":
        return "is unknown" if kind == "unknown_field" else "cannot be changed"
    template = _MESSAGES.get(line["type"])
    return template.format(**line.get("ctx", {})) if template else str(line["msg"])
