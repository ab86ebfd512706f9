"""Reads the headers of a record: names in any case, values as UTF-8, nothing twice."""

from dataclasses import dataclass

from service.domain.model import Fault
from service.received import DeadLetter
from service.record import Record


@dataclass(frozen=True, slots=True)
class Headers:
    """Header values by lower-case name, null headers left out, and what is wrong with them."""

    values: dict[str, str]
    faults: tuple[Fault, ...]


def read_headers(record: Record) -> Headers | DeadLetter:
    """Decodes every header, known or not; of a repeated one the first stands and the rest is a fault."""
    values: dict[str, str] = {}
    faults: tuple[Fault, ...] = ()
    for name, value in record.headers:
        if value is None:
            continue
        try:
            name.encode()
            text = value.decode()
        except UnicodeError:
            return DeadLetter(record, "header_not_utf8", f"header {name!r} is not UTF-8")
        lower = name.lower()
        if lower in values:
            faults += (Fault("", f"header {lower} is repeated"),)
        else:
            values[lower] = text
    return Headers(values, faults)
