"""Slots of a batch: what others hold where its claims lie, and the slots that its changes give back and take.

Deleting before inserting lets slots change hands within a batch. A claim that another transaction took meanwhile is
a row that is not inserted: the exclusion constraint has the last word.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from service.domain.model import Changed, Slot
from service.handle.loaded import Holding, Holdings, Key, ResourceKey
from service.handle.working import Need
from service.store.pool import Connection

LOAD: Final = """
SELECT s.account_id, s.resource_id, s.kind, s.holder_id, lower(s.period) AS start, upper(s.period) AS end
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
    AS asked (account_id, resource_id, start, ends)
JOIN slot s ON s.account_id = asked.account_id AND s.resource_id = asked.resource_id
    AND s.period && tstzrange(asked.start, asked.ends)
WHERE s.exclusive = $5
"""
GIVE_BACK: Final = """
DELETE FROM slot USING unnest($1::text[], $2::text[], $3::text[]) AS gone (account_id, kind, holder_id)
WHERE slot.account_id = gone.account_id AND slot.kind = gone.kind AND slot.holder_id = gone.holder_id
"""
TAKE: Final = """
INSERT INTO slot (account_id, kind, holder_id, resource_id, period, exclusive)
SELECT account_id, kind, holder_id, resource_id, period, exclusive
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::tstzrange[], $6::boolean[])
    AS taken (account_id, kind, holder_id, resource_id, period, exclusive)
ORDER BY account_id, resource_id, kind, holder_id
ON CONFLICT DO NOTHING
RETURNING account_id, kind, holder_id, resource_id
"""


async def load_holdings(
    connection: Connection, known: dict[ResourceKey, Holdings], needs: Sequence[Need]
) -> dict[ResourceKey, Holdings]:
    """Loads the holdings around claims; each resource's period grows to hold every claim made on it so far."""
    if not needs:
        return known
    hulls: dict[ResourceKey, tuple[datetime, datetime]] = {}
    for resource, start, end in needs:
        old = hulls.get(resource) or (
            (known[resource].start, known[resource].end) if resource in known else (start, end)
        )
        hulls[resource] = (min(old[0], start), max(old[1], end))
    found: dict[ResourceKey, list[Holding]] = {resource: [] for resource in hulls}
    asked = [(*resource, *hull) for resource, hull in sorted(hulls.items())]
    columns = [list(column) for column in zip(*asked, strict=True)]
    for exclusive in (True, False):  # each kind has its index
        for account_id, resource_id, kind, holder_id, start, end in await connection.fetch(LOAD, *columns, exclusive):
            found[account_id, resource_id].append(Holding((account_id, kind, holder_id), start, end))
    return known | {resource: Holdings(*hull, tuple(found[resource])) for resource, hull in hulls.items()}


async def save_slots(connection: Connection, changes: Iterable[Changed]) -> set[Key]:
    """Gives slots back and takes new ones; names the holders that lost theirs to another transaction."""
    final: dict[Key, Slot | None] = {}
    for changed in changes:
        if changed.slots.release or changed.slots.hold is not None:
            key: Key = (changed.after.account_id, changed.after.kind, changed.after.id)
            final[key] = changed.slots.hold
    if final:
        # Those who take give back first, whatever they are thought to hold: their own row must never be in their way.
        await connection.execute(GIVE_BACK, *(list(column) for column in zip(*sorted(final), strict=True)))
    rows = [
        (*key, resource_id, asyncpg.Range(slot.start, slot.end), slot.exclusive)
        for key, slot in sorted(final.items(), key=lambda item: item[0])
        if slot is not None
        for resource_id in slot.resource_ids
    ]
    if not rows:
        return set()
    taken = await connection.fetch(TAKE, *(list(column) for column in zip(*rows, strict=True)))
    got = {(account, kind, holder, resource) for account, kind, holder, resource in taken}
    return {row[:3] for row in rows if row[:4] not in got}
