"""Parses the JSON of a record once, and writes it in one canonical form whatever way it was written.

The quick parser loses integers beyond 64 bits and refuses lone surrogates, so text that may hold either takes the
standard library's slower way; both take the last of a member that is given twice.
"""

import json
import re
from typing import Any, Never

import orjson

_LONG_INTEGER = re.compile(rb"\d{19}")
_FLOAT = re.compile(rb"\d(?:\.\d|[eE])")
_MAX_DIGITS = 400


class NotJson(ValueError):
    """The bytes are not JSON (RFC 8259), or nested deeper than any command."""


def parse_json(value: bytes) -> Any:
    """Gives the JSON value of UTF-8 bytes; raises NotJson."""
    if _LONG_INTEGER.search(value) is None:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            pass
    try:
        return json.loads(value.decode(), parse_int=_integer, parse_constant=_constant)
    except RecursionError as error:
        raise NotJson("nested too deep") from error
    except ValueError as error:
        raise NotJson(str(error)) from error


def _integer(digits: str) -> int | float:
    """Keeps integers exact up to a length that no member allows; beyond it any number is as wrong as another."""
    return int(digits) if len(digits) <= _MAX_DIGITS else float("inf")


def _constant(name: str) -> Never:
    raise NotJson(f"{name} is no JSON value")


def canonical(value: Any, written: bytes) -> bytes:
    """Writes a parsed value with sorted members and without blanks; 2.0 and 2e0 are the number 2."""
    plain = _integral(value) if _FLOAT.search(written) else value
    try:
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def _integral(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {name: _integral(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_integral(item) for item in value]
    return value
