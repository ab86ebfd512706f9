"""What decisions took from the settings of locations, and must still hold when they are saved.

A shared slot was given because the location allows overbooking; a visit in public mode was let in under its location's
limit. Nobody who decides by tighter settings meanwhile would run into either. So those who build on such a setting
share a lock until their transaction ends, under which they look whether it still is what they read; who tightens one
waits for them, and then looks whether they hold what it has claimed alone. Locks of the row would not do: PostgreSQL
lets those who share a row in before one who waits to change it, for as long as they come.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import asyncpg

from service.domain.model import Aggregate, Changed
from service.handle.loaded import Key
from service.store.pool import Connection

TIGHTENED: Final = frozenset({"booking_allow_overbooking", "max_customer_visits"})
# Locks are few whatever a batch holds; locations that share one wait for each other a little longer.
LOCK: Final = """
SELECT CASE WHEN alone THEN pg_advisory_xact_lock(1, key) ELSE pg_advisory_xact_lock_shared(1, key) END
FROM (
    SELECT hashtext(account_id || E'\\n' || location_id) & 255 AS key, bool_or(alone) AS alone
    FROM unnest($1::text[], $2::text[], $3::boolean[]) AS asked (account_id, location_id, alone)
    GROUP BY 1 ORDER BY 1
) AS ordered
"""
CHANGED: Final = """
SELECT asked.account_id, asked.location_id
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS asked (account_id, location_id, version)
LEFT JOIN aggregate a ON a.account_id = asked.account_id AND a.kind = 'location' AND a.aggregate_id = asked.location_id
WHERE a.version IS DISTINCT FROM asked.version
"""
SHARED: Final = """
SELECT s.account_id, s.kind, s.holder_id, s.resource_id
FROM unnest($1::text[], $2::text[], $3::tstzrange[]) AS asked (account_id, resource_id, period)
JOIN slot s ON s.account_id = asked.account_id AND s.resource_id = asked.resource_id AND s.period && asked.period
WHERE NOT s.exclusive
"""


async def keep_settings(
    connection: Connection,
    changes: Sequence[Changed],
    loaded: Mapping[Key, Aggregate | None],
    written: Collection[Key],
) -> set[tuple[str, str, str]]:
    """Names the locations whose settings decisions build on and another transaction has changed since they were read.

    Those in `written` were found as they were expected when they were saved. No statement where nothing builds on one.
    """
    # Bookings that claim nothing now need no word of their location.
    concerned = [each for each in changes if each.slots.hold is not None or each.after.kind != "booking"]
    built_on = {key for changed in concerned if (key := _builds_on(changed)) is not None}
    tightened = {key for changed in concerned if (key := _tightens(changed)) is not None}
    if not built_on and not tightened:
        return set()
    wanted = sorted(built_on | tightened)
    await connection.execute(LOCK, *_names(wanted), [key in tightened for key in wanted])
    lost = await _shared_meanwhile(connection, changes, tightened) if tightened else set()
    asked = sorted(built_on.difference(written))
    if asked:
        versions = [None if (found := loaded[key]) is None else found.version for key in asked]
        rows = await connection.fetch(CHANGED, *_names(asked), versions)
        lost |= {(account, "location", location_id) for account, location_id in rows}
    return lost


async def _shared_meanwhile(
    connection: Connection, changes: Sequence[Changed], tightened: Collection[Key]
) -> set[tuple[str, str, str]]:
    """Names resources that were claimed alone, since they may not be shared any more, and that somebody shares."""
    claims = [
        (changed.after.account_id, resource_id, asyncpg.Range(hold.start, hold.end))
        for changed in changes
        if (hold := changed.slots.hold) is not None and hold.exclusive and _location(changed) in tightened
        for resource_id in hold.resource_ids
    ]
    if not claims:
        return set()
    own = {(changed.after.account_id, changed.after.kind, changed.after.id) for changed in changes}
    rows = await connection.fetch(SHARED, *(list(column) for column in zip(*claims, strict=True)))
    return {
        (account, "resource", resource)
        for account, kind, holder, resource in rows
        if (account, kind, holder) not in own
    }


def _names(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [account for account, _, _ in keys], [location_id for _, _, location_id in keys]


def _builds_on(changed: Changed) -> Key | None:
    """Gives the location whose word was needed: an option of the call overrides it."""
    after, hold, options = changed.after, changed.slots.hold, changed.options or {}
    shares = hold is not None and not hold.exclusive and options.get("allow_overbooking") is None
    if shares or (after.kind == "visit" and options.get("public_mode") and _is_counted(changed)):
        return _location(changed)
    return None


def _location(changed: Changed) -> Key:
    return changed.after.account_id, "location", changed.after.snapshot["location_id"]


def _is_counted(visit: Changed) -> bool:
    moved = not visit.changes.keys().isdisjoint({"customer_id", "state"})
    return moved and visit.after.snapshot["customer_id"] is not None


def _tightens(changed: Changed) -> Key | None:
    """Gives a location whose settings may ask for more than before; nothing builds on one that is new."""
    after = changed.after
    if after.kind != "location" or after.version == 1 or TIGHTENED.isdisjoint(changed.changes):
        return None
    return after.account_id, "location", after.id
