"""Timers that are due become `system` commands: rows of the outbox, in the transaction that marks the timers as sent.

A timer's row lives until its command is decided, so one without an answer is sent again; the id stays the same.
"""

from typing import Any, Final

import asyncpg

from schemas import headers as names
from service.compact_json import compact_json
from service.outbox.append import append
from service.outbox.row import Row, constant_headers, encode_headers
from service.received import OWN_SOURCE

CONSTANT: Final = constant_headers(
    [
        (names.CE_SPECVERSION, names.SPECVERSION),
        (names.CE_SOURCE, OWN_SOURCE),
        (names.CE_TYPE, names.STATE_ACTION),
        (names.CONTENT_TYPE, names.JSON),
    ]
)
MOST_UNANSWERED: Final = 2000
ANSWER_WITHIN: Final = "30 seconds"

# Counted no further than it matters.
UNANSWERED: Final = """
SELECT count(*) FROM (
    SELECT 1 FROM timer WHERE due_at <= now() AND sent_at > now() - $1::text::interval LIMIT $2
) AS waiting
"""
# What lies in the outbox for so long was not published yet, so it is too early to miss an answer. The first row is the
# oldest; it is only looked for where a timer waits that long. By its time it could only be found in reading all rows.
SEND: Final = """
WITH due AS (
    SELECT account_id, kind, aggregate_id, action FROM timer
    WHERE due_at <= now() AND (
        sent_at IS NULL
        OR sent_at <= now() - $1::text::interval AND (
            SELECT coalesce(
                (SELECT created_at FROM outbox ORDER BY seq LIMIT 1) > now() - $1::text::interval, true
            )
        )
    )
    ORDER BY sent_at NULLS FIRST, due_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE timer SET sent_at = now() FROM due
WHERE timer.account_id = due.account_id AND timer.kind = due.kind AND timer.aggregate_id = due.aggregate_id
  AND timer.action = due.action
RETURNING timer.account_id, timer.kind, timer.aggregate_id, timer.action, timer.timer_id, timer.correlation_id
"""


async def send_due(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Sends timers that are due, as long as not too many wait for their answer; gives how many."""
    waiting = await connection.fetchval(UNANSWERED, ANSWER_WITHIN, MOST_UNANSWERED)
    if waiting >= MOST_UNANSWERED:
        return 0
    async with connection.transaction():
        rows = await connection.fetch(SEND, ANSWER_WITHIN, MOST_UNANSWERED - waiting)
        await append(connection, [_command(*row) for row in rows])
    return len(rows)


def _command(account_id: str, kind: str, aggregate_id: str, action: str, timer_id: str, correlation_id: str) -> Row:
    data: dict[str, Any] = {"account_id": account_id, f"{kind}_id": aggregate_id, "action": action}
    if kind == "booking":
        # Each member of a group has a timer of its own.
        data["apply_to_bulked_bookings"] = False
    pairs = [(names.CE_ID, timer_id), (names.CE_CORRELATIONID, correlation_id)]
    headers = encode_headers(CONSTANT, pairs)
    return Row(names.INTERNAL_COMMANDS, aggregate_id.encode(), headers, compact_json(data))
