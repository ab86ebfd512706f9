"""A record as bytes that can be mutated as a whole, and back: every sequence of bytes is one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from schemas.commands import COMMANDS
from service.record import Record
from tests.support.records import APPENDED_MS, TOPICS, record

EXAMPLES: Final = Path(__file__).parents[2] / "schemas" / "examples"
CHANNELS: Final = ("booking-commands", "visit-commands", "internal-commands", "commands-replay")
# ASCII's own separators of records and units.
BETWEEN: Final = b"\x1e"
WITHIN: Final = b"\x1f"
NULL: Final = b"\x00"


def write(made: Record) -> bytes:
    """Writes topic, append time, key, value and headers."""
    headers = [
        name.encode("utf-8", "surrogateescape") + (b"" if value is None else WITHIN + value)
        for name, value in made.headers
    ]
    fixed = [made.topic.encode(), str(made.timestamp).encode(), _or_null(made.key), _or_null(made.value)]
    return BETWEEN.join([*fixed, *headers])


def read(data: bytes) -> Record:
    """Reads a record; what is missing or can't be is as a broker might have it."""
    topic, stamp, key, value, *headers = [*data.split(BETWEEN), b"", b"", b"", b""][: max(4, data.count(BETWEEN) + 1)]
    named = topic.decode("latin-1")
    pairs = []
    for each in headers:
        name, given, text = each.partition(WITHIN)
        pairs.append((name.decode("utf-8", "surrogateescape"), text if given else None))
    return Record(
        named if named in CHANNELS else CHANNELS[len(topic) % len(CHANNELS)],
        0,
        7,
        None if key == NULL else key,
        None if value == NULL else value,
        tuple(pairs),
        _moment(stamp),
    )


def examples() -> Iterator[tuple[str, Mapping[str, object]]]:
    """Gives the type and the data of every example of a command, the wrong ones too."""
    for file in sorted(EXAMPLES.rglob("*.json")):
        kind = file.relative_to(EXAMPLES).parts[0].removesuffix(".v1")
        content = json.loads(file.read_bytes())
        data = content["value"] if file.parent.name == "invalid" else content
        if kind in COMMANDS and isinstance(data, dict):
            yield kind, data


def records() -> Iterator[Record]:
    """Gives a record of every example, in binary mode."""
    for number, (kind, data) in enumerate(examples()):
        member = next((name for name in TOPICS if name in data), "booking_id")
        topic = TOPICS["location_id" if kind in ("configure-location", "erase-person") else member]
        key = str(data.get(member)).encode()
        yield record(kind, json.dumps(data).encode(), f"c-{number}", topic=topic, key=key, reply=number % 2 == 0)


def _or_null(value: bytes | None) -> bytes:
    return NULL if value is None else value


def _moment(stamp: bytes) -> int:
    try:
        return min(max(int(stamp[:25]), -(2**63)), 2**63 - 1)
    except ValueError:
        return APPENDED_MS
