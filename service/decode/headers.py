"""Reads the headers of a record: names in any case, values as UTF-8, nothing twice."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from service.domain.model import Fault
from service.received import DeadLetter
from service.record import Record

MAX_NAME = 100


class Headers(NamedTuple):
    """Header values by lower-case name, null headers left out, and what is wrong with them."""

    values: dict[str, str]
    faults: tuple[Fault, ...]


def read_headers(record: Record) -> Headers | DeadLetter:
    """Decodes every header, known or not; of a repeated one the first stands and the rest is a fault."""
    plain = _plain(record.headers)
    return _read_with_care(record) if plain is None else Headers(plain, ())


def _plain(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str] | None:
    """Gives headers that are as nearly all are: named in lower case, each once, and with a text."""
    try:
        values = {name: value.decode() for name, value in headers if value is not None}
    except UnicodeError:
        return None
    names = "".join(values)
    return values if len(values) == len(headers) and names.isascii() and names.islower() else None


def _read_with_care(record: Record) -> Headers | DeadLetter:
    values: dict[str, str] = {}
    repeated: dict[str, None] = {}
    for name, value in record.headers:
        if value is None:
            continue
        try:
            if not name.isascii():
                name.encode()
            text = value.decode()
        except UnicodeError:
            return DeadLetter(record, "header_not_utf8", f"header {name!r} is not UTF-8")
        lower = name.lower()
        if lower in values:
            repeated[lower] = None
        else:
            values[lower] = text
    return Headers(values, tuple(Fault("", f"header {shown(name, MAX_NAME)} is repeated") for name in repeated))


def shown(text: str, length: int) -> str:
    """Gives what an answer shows of a text of the sender: at most `length` clean characters."""
    cut = text if len(text) <= length else text[: length - 1] + "…"
    return cut if cut.isprintable() else "".join("\ufffd" if is_control(each) else each for each in cut)


def is_control(character: str) -> bool:
    """Whether a character is a control character or a lone surrogate."""
    return unicodedata.category(character) in ("Cc", "Cs")
