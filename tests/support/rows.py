"""Rows of the outbox as a reader of the topics sees them, each checked against its JSON Schema."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from service.outbox.row import Row
from service.relay.headers import parse_headers
from tests.contracts.catalogue import committed

DLQ = "commands-dlq"
RESULTS = "command-results"


@dataclass(frozen=True, slots=True)
class Sent:
    """A row on its way: `headers` holds the text of each, `raw` its bytes."""

    topic: str
    key: bytes | None
    raw: tuple[tuple[str, bytes | None], ...]
    bytes: bytes | None

    @property
    def headers(self) -> dict[str, str]:
        """Headers by name; bytes that are no text as replacement characters."""
        return {name: value.decode("utf-8", "replace") for name, value in self.raw if value is not None}

    @property
    def value(self) -> Any:
        """The value as JSON."""
        return json.loads(self.bytes or b"")

    @property
    def type(self) -> str:
        """The type of the message."""
        return "dead-letter" if self.topic == DLQ else self.headers["ce_type"]


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(committed(name), format_checker=Draft202012Validator.FORMAT_CHECKER)


def sent(row: Row) -> Sent:
    """Reads a row; a message of ours must fit its schema."""
    found = Sent(row.topic, row.key, tuple(parse_headers(row.headers)), row.value)
    if found.topic not in {DLQ, "internal-commands"}:
        _validator(found.type).validate(found.value)
    return found
