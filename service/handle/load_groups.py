"""Loads the rows of groups, and the ids of their members where an action is replicated over them."""

from collections.abc import Collection
from typing import Final

from service.handle.loaded import Group, GroupKey
from service.store.pool import Connection

LOAD: Final = """
SELECT g.account_id, g.group_id, g.version, g.size
FROM unnest($1::text[], $2::text[]) AS asked (account_id, group_id)
JOIN booking_group g USING (account_id, group_id)
"""
LOAD_LOCKED: Final = LOAD + "ORDER BY g.account_id, g.group_id FOR NO KEY UPDATE OF g"
MEMBERS: Final = """
SELECT m.account_id, m.group_id, array_agg(m.booking_id ORDER BY m.booking_id)
FROM unnest($1::text[], $2::text[]) AS asked (account_id, group_id)
JOIN group_member m USING (account_id, group_id)
GROUP BY m.account_id, m.group_id
"""


async def load_groups(
    connection: Connection, joined: Collection[GroupKey], replicated: Collection[GroupKey], *, lock: bool
) -> dict[GroupKey, Group]:
    """Loads group rows first and members after them: a member that comes in between bumps the row we then miss."""
    wanted = sorted({*joined, *replicated})
    accounts, names = [account for account, _ in wanted], [name for _, name in wanted]
    rows = await connection.fetch(LOAD_LOCKED if lock else LOAD, accounts, names)
    found = {(account, name): (version, size) for account, name, version, size in rows}
    members: dict[GroupKey, tuple[str, ...]] = {}
    if replicated:
        ordered = sorted(replicated)
        listed = await connection.fetch(MEMBERS, [account for account, _ in ordered], [name for _, name in ordered])
        members = {(account, name): tuple(ids) for account, name, ids in listed}
    return {key: Group(*found.get(key, (0, 0)), members.get(key, ()) if key in replicated else None) for key in wanted}
