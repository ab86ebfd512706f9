"""One command, one transaction."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import asyncpg
from pydantic import ValidationError

from tests.benchmarks.peer.booking import Booking, UpdateBooking, merged

REMEMBER = """
INSERT INTO inbox (account_id, source, command_id, content_hash, outcome) VALUES ($1, $2, $3, $4, 'applied')
ON CONFLICT DO NOTHING RETURNING true
"""
REFUSED = "UPDATE inbox SET outcome = $4 WHERE account_id = $1 AND source = $2 AND command_id = $3"
READ = "SELECT version, state FROM booking WHERE account_id = $1 AND booking_id = $2"
WRITE = """
UPDATE booking SET version = version + 1, state = $4
WHERE account_id = $1 AND booking_id = $2 AND version = $3
"""
PUBLISH = "INSERT INTO outbox (topic, key, headers, value) VALUES ($1, $2, $3, $4)"


class LostRace(Exception):
    """Somebody else changed the booking since it was read; the record is delivered again."""


class Refused(Exception):
    """The command cannot be applied; the text is the error's code."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the record's headers say."""

    command_id: str
    source: str
    appended_at: datetime
    body: bytes


async def apply(pool: "asyncpg.Pool[Any]", command: UpdateBooking, envelope: Envelope) -> None:
    """Apply a command once, or answer why not; a repeat does nothing."""
    identity = (command.account_id, envelope.source, envelope.command_id)
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(REMEMBER, *identity, sha256(envelope.body).digest()):
            return
        try:
            event = await _change(connection, command, envelope)
        except Refused as refusal:
            await connection.execute(REFUSED, *identity, str(refusal))
            await _publish(connection, "command-results", "command-refused", command, envelope, {"error": str(refusal)})
        else:
            await _publish(connection, "booking-events", "booking-changed", command, envelope, event)


async def _change(connection: Any, command: UpdateBooking, envelope: Envelope) -> dict[str, Any]:
    row = await connection.fetchrow(READ, command.account_id, command.booking_id)
    if row is None:
        raise Refused("not_found")
    if command.expected_version not in {None, row["version"]}:
        raise Refused("version_conflict")
    before = json.loads(row["state"])
    try:
        booking = Booking.model_validate(merged(before, command.patch) | {"updated_at": envelope.appended_at})
    except ValidationError as error:
        raise Refused("invalid_request") from error
    after = booking.model_dump(mode="json")
    version = row["version"]
    written = await connection.execute(WRITE, command.account_id, command.booking_id, version, json.dumps(after))
    if written != "UPDATE 1":
        raise LostRace(command.booking_id)
    changes = {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
    changes.pop("updated_at", None)
    return {
        "version": version + 1,
        "booking": after,
        "changes": changes,
        "from_state": before["state"],
        "to_state": after["state"],
        "reason": command.reason,
    }


async def _publish(
    connection: Any, topic: str, kind: str, command: UpdateBooking, envelope: Envelope, data: dict[str, Any]
) -> None:
    ids = {"account_id": command.account_id, "booking_id": command.booking_id, "command_id": envelope.command_id}
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid5(NAMESPACE_URL, f"{envelope.source}|{envelope.command_id}|{kind}")),
        "ce_source": "/peer",
        "ce_type": kind,
        "ce_subject": command.booking_id,
        "ce_time": datetime.now(UTC).isoformat(),
        "ce_causationid": envelope.command_id,
        "content-type": "application/json",
    }
    value = json.dumps(ids | data)
    await connection.execute(PUBLISH, topic, command.booking_id, json.dumps(headers), value)
