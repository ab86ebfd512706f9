"""Writes the rows of groups where their version is the expected one, and their new members."""

from collections.abc import Iterable, Mapping
from typing import Final

from service.domain.group import groups_of
from service.handle.decided import Decided
from service.handle.loaded import Group, GroupKey
from service.store.pool import Connection

CREATE: Final = """
INSERT INTO booking_group (account_id, group_id, version, size)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[])
ON CONFLICT DO NOTHING
RETURNING account_id, group_id
"""
BUMP: Final = """
UPDATE booking_group SET version = bumped.version, size = bumped.size
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::bigint[])
    AS bumped (account_id, group_id, version, size, expected)
WHERE booking_group.account_id = bumped.account_id AND booking_group.group_id = bumped.group_id
  AND booking_group.version = bumped.expected
RETURNING booking_group.account_id, booking_group.group_id
"""
JOIN: Final = """
INSERT INTO group_member (account_id, group_id, booking_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT DO NOTHING
"""


async def save_groups(
    connection: Connection, decisions: Iterable[Decided], loaded: Mapping[GroupKey, Group]
) -> set[GroupKey]:
    """Writes what joined and what was bumped; names the groups that another transaction has changed meanwhile."""
    bumps: dict[GroupKey, int] = {}
    joins: list[tuple[str, str, str]] = []
    for decided in decisions:
        for key in decided.bumped:
            bumps[key] = bumps.get(key, 0) + 1
        for changed in decided.changes:
            if changed.after.kind == "booking" and changed.after.version == 1:
                account_id, booking_id = changed.after.account_id, changed.after.id
                joins += [(account_id, name, booking_id) for name in groups_of(changed.after.snapshot)]
    sizes: dict[GroupKey, int] = {}
    for account_id, name, _ in joins:
        sizes[account_id, name] = sizes.get((account_id, name), 0) + 1
        bumps[account_id, name] = bumps.get((account_id, name), 0) + 1
    rows = [
        (*key, loaded[key].version + steps, loaded[key].size + sizes.get(key, 0), loaded[key].version)
        for key, steps in sorted(bumps.items())
    ]
    new, old = [row[:4] for row in rows if row[4] == 0], [row for row in rows if row[4] > 0]
    written: set[GroupKey] = set()
    for statement, chosen in ((CREATE, new), (BUMP, old)):
        if chosen:
            found = await connection.fetch(statement, *(list(column) for column in zip(*chosen, strict=True)))
            written |= {(account, name) for account, name in found}
    if joins:
        await connection.execute(JOIN, *(list(column) for column in zip(*sorted(joins), strict=True)))
    return set(bumps) - written
