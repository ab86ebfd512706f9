"""Step 7: saves aggregates where their version is still the expected one. Optimistic locking is written here, once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from service.compact_json import compact_json
from service.domain.graph import Graph
from service.domain.model import Kind
from service.handle.decided import Decided
from service.handle.loaded import Key, Loaded
from service.handle.save_groups import save_groups
from service.handle.save_visits import save_visit_claims
from service.handle.settings_read import keep_settings
from service.handle.slots import save_slots
from service.handle.timers import save_timers
from service.store.pool import Connection

UPDATE: Final = """
UPDATE aggregate SET version = changed.version, state = changed.state, memo = changed.memo
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bigint[])
    AS changed (account_id, kind, aggregate_id, version, state, memo, expected)
WHERE aggregate.account_id = changed.account_id AND aggregate.kind = changed.kind
  AND aggregate.aggregate_id = changed.aggregate_id AND aggregate.version = changed.expected
RETURNING aggregate.account_id, aggregate.kind, aggregate.aggregate_id
"""
CREATE: Final = """
INSERT INTO aggregate (account_id, kind, aggregate_id, version, state, memo)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bytea[])
ON CONFLICT DO NOTHING
RETURNING account_id, kind, aggregate_id
"""


Lost = set[tuple[str, str, str]]


class Written(NamedTuple):
    """The final state of an aggregate after a batch, and the version that it was loaded at (0: it is new)."""

    account_id: str
    kind: Kind
    aggregate_id: str
    version: int
    state: bytes
    memo: bytes | None
    expected: int


async def save(
    connection: Connection, decisions: Sequence[Decided], loaded: Loaded, graphs: Mapping[str, Graph]
) -> Lost:
    """Writes every change, in the order groups, aggregates, settings, claims, slots, timers, each sorted by key.

    Gives the keys of all that another transaction has changed since it was loaded; then nothing here may stay.
    """
    changes = [changed for decided in decisions for changed in decided.changes]
    lost: Lost = {(account, "group", name) for account, name in await save_groups(connection, decisions, loaded.groups)}
    written = final_states(decisions)
    lost |= await _save_aggregates(connection, written.values())
    lost |= await keep_settings(connection, changes, loaded.aggregates, written)
    lost |= await save_visit_claims(connection, changes, graphs)
    lost |= await save_slots(connection, changes)
    await save_timers(connection, decisions)
    return lost


def final_states(decisions: Sequence[Decided]) -> dict[Key, Written]:
    """Folds the changes of each aggregate into one write."""
    written: dict[Key, Written] = {}
    for decided in decisions:
        for changed, state in zip(decided.changes, decided.states, strict=True):
            kind, account_id, aggregate_id, version, _, memo = changed.after
            key: Key = (account_id, kind, aggregate_id)
            earlier = written.get(key)
            expected = version - 1 if earlier is None else earlier.expected
            written[key] = Written(*key, version, state, None if memo is None else compact_json(memo), expected)
    return written


async def _save_aggregates(connection: Connection, written: Iterable[Written]) -> Lost:
    ordered = sorted(written)
    changed = [row for row in ordered if row.expected > 0]
    created = [row[:-1] for row in ordered if row.expected == 0]
    lost: Lost = set()
    for statement, rows in ((UPDATE, changed), (CREATE, created)):
        saved = await connection.fetch(statement, *zip(*rows, strict=True)) if rows else ()
        if len(saved) < len(rows):
            lost |= {row[:3] for row in rows}.difference(map(tuple, saved))
    return lost
