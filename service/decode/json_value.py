"""Parses the JSON of a record once, and writes it in one canonical form whatever way it was written.

The quick parser loses integers beyond 64 bits and refuses lone surrogates, so text that may hold either takes the
standard library's slower way; both take the last of a member that is given twice.
"""

import json
import math
from collections.abc import Collection
from typing import Any, Final, Never

import orjson

# Every digit becomes a 1, so that a run of them can be looked for without a regular expression.
_DIGITS: Final = bytes(1 if chr(code) in "0123456789" else 0 for code in range(256))
_LONG_INTEGER: Final = b"\x01" * 19
_MAX_DIGITS: Final = 100
# Stands for every number that is larger; not infinity, which would be written as null.
_BEYOND: Final[int] = 10**_MAX_DIGITS
# A part of what the interpreter's stack carries, so that whatever is parsed can be walked and written again.
_MAX_DEPTH: Final = 200
_NESTING: Final = frozenset({dict, list})


class NotJson(ValueError):
    """The bytes are not JSON (RFC 8259), or nested deeper than any command."""


def parse_json(value: bytes) -> Any:
    """Gives the JSON value of UTF-8 bytes; raises NotJson."""
    parsed = _parse(value)
    if value.count(b"[") + value.count(b"{") > _MAX_DEPTH and _deeper_than(parsed, _MAX_DEPTH):
        raise NotJson("nested too deep")
    return parsed


def _parse(value: bytes) -> Any:
    if _LONG_INTEGER not in value.translate(_DIGITS):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            pass
    try:
        return json.loads(value.decode(), parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except RecursionError as error:
        raise NotJson("nested too deep") from error
    except ValueError as error:
        raise NotJson(str(error)) from error


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            item
            for outer in level
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _integer(digits: str) -> int:
    """Keeps integers exact up to a length that no member allows; beyond it any number is as wrong as another."""
    return int(digits) if len(digits) <= _MAX_DIGITS else _beyond(digits)


def _float(text: str) -> float | int:
    number = float(text)
    return number if math.isfinite(number) else _beyond(text)


def _beyond(text: str) -> int:
    return -_BEYOND if text.startswith("-") else _BEYOND


def _constant(name: str) -> Never:
    raise NotJson(f"{name} is no JSON value")


def canonical(value: Any) -> bytes:
    """Writes a parsed value with sorted members and without blanks; 2.0 and 2e0 are the number 2."""
    plain = _integral(value) if _has_float((value,)) else value
    try:
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def _has_float(items: Collection[Any]) -> bool:
    kinds = {*map(type, items)}
    if float in kinds or _NESTING.isdisjoint(kinds):
        return float in kinds
    inner = [item.values() if type(item) is dict else item for item in items if type(item) in _NESTING]
    return any(map(_has_float, inner))


def _integral(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    # No comprehensions: on Python 3.11 each would take a frame of the stack beside ours.
    if isinstance(value, dict):
        return dict(zip(value, map(_integral, value.values()), strict=True))
    if isinstance(value, list):
        return list(map(_integral, value))
    return value
