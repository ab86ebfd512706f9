"""Timers of a batch: those that its commands come from, and those that its changes start and end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from service.domain.actor import Actor
from service.domain.commands import StateAction
from service.domain.model import KEEP_TIMERS, Changed
from service.handle.decided import Decided
from service.handle.loaded import Key, TimerKey
from service.outbox.row import uuid5
from service.received import Question
from service.store.pool import Connection

LOAD: Final = """
SELECT t.account_id, t.kind, t.aggregate_id, t.action, t.timer_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS asked (account_id, kind, aggregate_id, action)
JOIN timer t USING (account_id, kind, aggregate_id, action)
"""
CLEAR: Final = """
DELETE FROM timer USING unnest($1::text[], $2::text[], $3::text[]) AS gone (account_id, kind, aggregate_id)
WHERE timer.account_id = gone.account_id AND timer.kind = gone.kind AND timer.aggregate_id = gone.aggregate_id
"""
SPEND: Final = """
DELETE FROM timer
USING unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    AS gone (account_id, kind, aggregate_id, action, timer_id)
WHERE timer.account_id = gone.account_id AND timer.kind = gone.kind AND timer.aggregate_id = gone.aggregate_id
  AND timer.action = gone.action AND timer.timer_id = gone.timer_id
"""
START: Final = """
INSERT INTO timer (account_id, kind, aggregate_id, action, timer_id, due_at, correlation_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
ON CONFLICT (account_id, kind, aggregate_id, action) DO UPDATE
SET timer_id = excluded.timer_id, due_at = excluded.due_at, correlation_id = excluded.correlation_id, sent_at = NULL
"""


async def load_timers(connection: Connection, questions: Sequence[Question]) -> Mapping[TimerKey, str]:
    """Gives the ids of the timers that commands of the service itself name."""
    wanted = sorted(set(_named(questions)))
    if not wanted:
        return {}
    rows = await connection.fetch(LOAD, *zip(*wanted, strict=True))
    return {(account, kind, aggregate, action): timer_id for account, kind, aggregate, action, timer_id in rows}


def _named(questions: Iterable[Question]) -> Iterable[TimerKey]:
    for question in questions:
        command = question.command
        if question.context.actor is Actor.SYSTEM and isinstance(command, StateAction) and command.action is not None:
            yield question.context.account_id, command.kind, command.target_id, command.action


def _fold(
    changed: Changed, correlation: str, cleared: dict[Key, None], started: dict[TimerKey, tuple[str, datetime, str]]
) -> None:
    key: Key = (changed.after.account_id, changed.after.kind, changed.after.id)
    if changed.timers.clear:
        cleared[key] = None
        for name in [name for name in started if name[:3] == key]:
            del started[name]
    for timer in changed.timers.start:
        timer_id = uuid5("/".join(("timer", *key, timer.action, str(changed.after.version))).encode())
        started[(*key, timer.action)] = (timer_id, timer.due_at, correlation)


async def save_timers(connection: Connection, decisions: Sequence[Decided]) -> None:
    """Ends the timers that were left behind or spent, and starts the new ones."""
    cleared: dict[Key, None] = {}
    started: dict[TimerKey, tuple[str, datetime, str]] = {}
    spent: dict[TimerKey, str] = {}
    for decided in decisions:
        if decided.spent is not None:
            spent[decided.spent] = decided.received.envelope.id
            started.pop(decided.spent, None)
        for changed in decided.changes:
            if changed.timers != KEEP_TIMERS:
                _fold(changed, decided.received.envelope.correlation, cleared, started)
    if cleared:
        await connection.execute(CLEAR, *zip(*sorted(cleared), strict=True))
    if spent:
        rows = [(*key, timer_id) for key, timer_id in sorted(spent.items())]
        await connection.execute(SPEND, *zip(*rows, strict=True))
    if started:
        new = [(*key, *value) for key, value in sorted(started.items())]
        await connection.execute(START, *zip(*new, strict=True))
