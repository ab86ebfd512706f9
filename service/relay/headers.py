"""Headers of an outbox row: a JSON array of [name, value as latin-1 text or null], which holds any bytes."""

import json
from functools import lru_cache
from typing import Final

import orjson

Headers = list[tuple[str, bytes | None]]

_FIRST_OF_ITS_OWN: Final = b',["ce_id","'
# What stands before it in dead letters is what senders wrote, of any length, and is not remembered.
_LONGEST_SHARED: Final = 1_000


class RawName(str):
    """A header name that is not UTF-8, as surrogate escapes; encodes to the bytes it stands for."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        """The bytes of the name, whatever the caller thinks of its characters."""
        return super().encode(encoding, "surrogateescape" if errors == "strict" else errors)


class RawHeaders(list[tuple[str, bytes | None]]):
    """Headers with a name that is not UTF-8, which the fast batch builder refuses."""

    __slots__ = ()


@lru_cache(maxsize=64)
def _constant(begin: bytes) -> Headers:
    return _parse(begin + b"]")


def parse_headers(stored: bytes) -> Headers:
    """Headers of a row as Kafka takes them, from what was stored; `ValueError` when it is no array of pairs."""
    # What all messages of a kind share comes first, and needs to be read only once. These bytes can't stand in a text,
    # where quotes are escaped.
    own = stored.find(_FIRST_OF_ITS_OWN)
    try:
        if 0 < own <= _LONGEST_SHARED:
            return _constant(stored[:own]) + _parse(b"[" + stored[own + 1 :])
        return _parse(stored)
    except orjson.JSONDecodeError:
        # orjson refuses the lone surrogates that stand for bytes of a name that is not UTF-8.
        return RawHeaders((RawName(name), _value(value)) for name, value in json.loads(stored))


def _parse(stored: bytes) -> Headers:
    pairs: list[tuple[str, str | None]] = orjson.loads(stored)
    return [(name, None if value is None else value.encode("latin-1")) for name, value in pairs]


def _value(value: str | None) -> bytes | None:
    return None if value is None else value.encode("latin-1")
