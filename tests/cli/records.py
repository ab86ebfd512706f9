"""Records of output topics, made by hand."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from service.cli.follow import Seen, seen


def record(topic: str, value: Any, headers: Mapping[str, str], *, key: bytes | None = b"b-1", offset: int = 0) -> Seen:
    """A record as it comes from Kafka, read."""
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    pairs = tuple((name, text.encode()) for name, text in headers.items())
    found: Any = SimpleNamespace(
        topic=f"test.{topic}",
        partition=0,
        offset=offset,
        timestamp=1_900_000_000_000,
        key=key,
        value=raw,
        headers=pairs,
    )
    return seen(found, "test.")


def event(**members: Any) -> Seen:
    """A change event of booking b-1."""
    value = {
        "account_id": "acc-1",
        "booking_id": "b-1",
        "version": 2,
        "changes": {"state": ["registered", "confirmed"]},
        "action": "confirm",
        "from_state": "registered",
        "to_state": "confirmed",
        "actor": "external",
        "reason": None,
        "replicated_from": None,
        **members,
    }
    return record("booking-events", value, {"ce_type": "booking-changed", "ce_id": "e-1"})


def result(kind: str, command_id: str = "c-1", **members: Any) -> Seen:
    """A result about booking b-1."""
    value = {
        "status": 200,
        "outcome": "applied",
        "command_id": command_id,
        "command_source": "//pos",
        "account_id": "acc-1",
        "aggregate_type": "booking",
        "aggregate_id": "b-1",
        "version": 2,
        "state": "confirmed",
        "siblings": [],
        "deprecated": [],
        **members,
    }
    return record("command-results", value, {"ce_type": f"command-{kind}", "ce_id": f"r-{command_id}"})


def letter(offset: int, value: bytes = b"TABLE 7") -> Seen:
    """A dead letter from partition 3 of booking-commands."""
    headers = {
        "dlq_reason": "invalid_json",
        "dlq_detail": "no JSON",
        "dlq_topic": "booking-commands",
        "dlq_partition": "3",
        "dlq_offset": str(offset),
    }
    return record("commands-dlq", value, headers, key=b"till-3")
