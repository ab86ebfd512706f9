"""Aggregates as they stand, with all that the narrow tables hold about them; for people, not for decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from service.domain.group import groups_of, owned
from service.store.pool import Connection

# Keys begin with the account: where none is given, this hops from account to account instead of reading every row.
FIND: Final = """
WITH RECURSIVE account (id) AS (
    (SELECT account_id FROM aggregate WHERE $1::text IS NULL OR account_id = $1 ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT account_id FROM aggregate WHERE account_id > account.id ORDER BY account_id LIMIT 1)
    FROM account WHERE account.id IS NOT NULL AND $1::text IS NULL
)
SELECT a.account_id, a.kind, a.version, a.state
FROM account JOIN aggregate a ON a.account_id = account.id AND a.kind = ANY($2::text[]) AND a.aggregate_id = $3
ORDER BY a.account_id, a.kind
"""
TIMERS: Final = """
SELECT action, due_at, sent_at FROM timer WHERE account_id = $1 AND kind = $2 AND aggregate_id = $3 ORDER BY due_at
"""
SLOTS: Final = """
SELECT resource_id, lower(period), upper(period), exclusive FROM slot
WHERE account_id = $1 AND kind = $2 AND holder_id = $3 ORDER BY resource_id
"""
GROUPS: Final = """
SELECT g.group_id, g.size, array_agg(m.booking_id ORDER BY m.booking_id)
FROM booking_group g JOIN group_member m USING (account_id, group_id)
WHERE account_id = $1 AND group_id = ANY($2::text[]) GROUP BY g.group_id, g.size ORDER BY g.group_id
"""


@dataclass(frozen=True, slots=True)
class Timer:
    """An action that will play by itself; `sent_at` is when its command was sent, which is not decided yet."""

    action: str
    due_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A resource that it holds for a time."""

    resource_id: str
    start: datetime
    end: datetime
    exclusive: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group that it is in or owns, and the ids of all its members."""

    name: str
    owner: bool
    size: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """An aggregate at its latest version, with what is held and waits for it."""

    account_id: str
    kind: str
    id: str
    version: int
    snapshot: dict[str, Any]
    timers: tuple[Timer, ...]
    slots: tuple[Slot, ...]
    groups: tuple[Group, ...]


async def find_standing(
    connection: Connection, aggregate_id: str, *, account_id: str | None, kinds: Sequence[str]
) -> list[Standing]:
    """Gives every aggregate of this id, of all accounts where none is given, as of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(FIND, account_id, list(kinds), aggregate_id)
        return [
            await _standing(connection, account, kind, aggregate_id, version, orjson.loads(state))
            for account, kind, version, state in rows
        ]


async def _standing(
    connection: Connection, account_id: str, kind: str, aggregate_id: str, version: int, snapshot: dict[str, Any]
) -> Standing:
    key = (account_id, kind, aggregate_id)
    names = [*groups_of(snapshot), owned(aggregate_id)] if kind == "booking" else []
    return Standing(
        *key,
        version,
        snapshot,
        tuple(Timer(*row) for row in await connection.fetch(TIMERS, *key)),
        tuple(Slot(*row) for row in await connection.fetch(SLOTS, *key)),
        tuple(
            Group(name, name == owned(aggregate_id), size, tuple(members))
            for name, size, members in await connection.fetch(GROUPS, account_id, names)
        ),
    )
