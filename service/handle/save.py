"""Step 7: saves aggregates where their version is still the expected one. Optimistic locking is written here, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from service.domain.graph import Graph
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


@dataclass(slots=True)
class Written:
    """The final state of an aggregate after a batch, and the version that it was loaded at (0: it is new)."""

    expected: int
    version: int
    state: bytes
    memo: bytes | None


async def save(
    connection: Connection, decisions: Sequence[Decided], loaded: Loaded, graphs: Mapping[str, Graph]
) -> Lost:
    """Writes every change, in the order groups, aggregates, settings, claims, slots, timers, each sorted by key.

    Gives the keys of all that another transaction has changed since it was loaded; then nothing here may stay.
    """
    lost: Lost = {(account, "group", name) for account, name in await save_groups(connection, decisions, loaded.groups)}
    written = final_states(decisions)
    lost |= await _save_aggregates(connection, written)
    lost |= await keep_settings(connection, decisions, loaded.aggregates, written)
    lost |= await save_visit_claims(connection, decisions, graphs)
    lost |= await save_slots(connection, decisions)
    await save_timers(connection, decisions)
    return lost


def final_states(decisions: Sequence[Decided]) -> dict[Key, Written]:
    """Folds the changes of each aggregate into one write."""
    written: dict[Key, Written] = {}
    for decided in decisions:
        for changed, state in zip(decided.changes, decided.states, strict=True):
            after = changed.after
            key: Key = (after.account_id, after.kind, after.id)
            memo = None if after.memo is None else orjson.dumps(after.memo)
            earlier = written.get(key)
            expected = after.version - 1 if earlier is None else earlier.expected
            written[key] = Written(expected, after.version, state, memo)
    return written


async def _save_aggregates(connection: Connection, written: Mapping[Key, Written]) -> Lost:
    ordered = sorted(written.items(), key=lambda item: item[0])
    changed = [item for item in ordered if item[1].expected > 0]
    created = [item for item in ordered if item[1].expected == 0]
    saved: Lost = set()
    for statement, chosen in ((UPDATE, changed), (CREATE, created)):
        if chosen:
            columns: list[list[object]] = [
                [key[0] for key, _ in chosen],
                [key[1] for key, _ in chosen],
                [key[2] for key, _ in chosen],
                [row.version for _, row in chosen],
                [row.state for _, row in chosen],
                [row.memo for _, row in chosen],
            ]
            if statement is UPDATE:
                columns.append([row.expected for _, row in chosen])
            rows = await connection.fetch(statement, *columns)
            if len(rows) == len(chosen):
                saved |= {key for key, _ in chosen}
            else:
                saved |= {(account, kind, aggregate_id) for account, kind, aggregate_id in rows}
    return {key for key in written if key not in saved}
