"""Headers of an outbox row: a JSON array of [name, value as latin-1 text or null], which holds any bytes."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

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


@dataclass(frozen=True, slots=True)
class ParsedHeaders:
    """Headers as Kafka takes them; `raw` when a name is not UTF-8, which the fast batch builder refuses."""

    headers: Headers
    raw: bool = False


@lru_cache(maxsize=64)
def _constant(begin: bytes) -> Headers:
    return _parse(begin + b"]")


def parse_headers(stored: bytes) -> ParsedHeaders:
    """Headers of a row as it was stored; `ValueError` when it is no array of pairs."""
    # What all messages of a kind share comes first, and needs to be read only once. These bytes can't stand in a text,
    # where quotes are escaped.
    own = stored.find(_FIRST_OF_ITS_OWN)
    try:
        if 0 < own <= _LONGEST_SHARED:
            return ParsedHeaders([*_constant(stored[:own]), *_parse(b"[" + stored[own + 1 :])])
        return ParsedHeaders(_parse(stored))
    except orjson.JSONDecodeError:
        # orjson refuses the lone surrogates that stand for bytes of a name that is not UTF-8.
        return ParsedHeaders([(RawName(name), _value(value)) for name, value in json.loads(stored)], raw=True)


def _parse(stored: bytes) -> Headers:
    pairs: list[tuple[str, str | None]] = orjson.loads(stored)
    return [(name, None if value is None else value.encode("latin-1")) for name, value in pairs]


def _value(value: str | None) -> bytes | None:
    return None if value is None else value.encode("latin-1")


class RawNameBatch(BatchBuilder):  # type: ignore[misc]
    """A batch for records with raw header names: aiokafka's Python builder, which asks a name for its own bytes."""

    def __init__(self, batch_size: int) -> None:
        super().__init__(batch_size, 0)
        self._builder: Any = _DefaultRecordBatchBuilderPy(
            2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=batch_size
        )

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)
