"""Compares the state graphs with those that the database was last migrated with.

An aggregate in a state that its graph has lost could never be decided again, so such graphs are refused.
"""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import orjson

from service.domain.graph import Graph
from service.errors import SchemaMismatch
from service.store.migrate import MIGRATION_LOCK

LAST: Final = "SELECT states FROM graph_revision ORDER BY revision DESC LIMIT 1"
RECORD: Final = "INSERT INTO graph_revision (states) VALUES ($1::jsonb)"
# Reads every aggregate, but only when a state was lost.
IN_USE: Final = """
SELECT snapshot.graph, snapshot.state, count(*)
FROM (
    SELECT value ->> 'graph' AS graph, value ->> 'state' AS state
    FROM (SELECT convert_from(state, 'UTF8')::jsonb AS value FROM aggregate WHERE kind <> 'location') AS decoded
) AS snapshot
JOIN unnest($1::text[], $2::text[]) AS lost (graph, state) USING (graph, state)
GROUP BY snapshot.graph, snapshot.state ORDER BY 1, 2
"""

States = Mapping[str, list[str]]


def states_of(graphs: Mapping[str, Graph]) -> dict[str, list[str]]:
    """Lists the states of each graph."""
    return {name: sorted(graph.states) for name, graph in sorted(graphs.items())}


def lost_states(before: States, now: States) -> list[tuple[str, str]]:
    """Lists (graph, state) pairs that were there before and are not now."""
    return [(graph, state) for graph, states in before.items() for state in states if state not in now.get(graph, ())]


async def settle_graphs(database_url: str, graphs: Mapping[str, Graph], *, record: bool = True) -> None:
    """Records the graphs as the newest revision; raises SchemaMismatch when they lost a state that is in use."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
            stored = await connection.fetchval(LAST)
            before: States = {} if stored is None else orjson.loads(stored)
            now = states_of(graphs)
            await _refuse_lost(connection, lost_states(before, now))
            if record and before != now:
                await connection.execute(RECORD, orjson.dumps(now).decode())
    finally:
        await connection.close()


async def _refuse_lost(connection: "asyncpg.Connection[Any]", lost: list[tuple[str, str]]) -> None:
    if not lost:
        return
    used = await connection.fetch(IN_USE, [graph for graph, _ in lost], [state for _, state in lost])
    if used:
        named = "; ".join(f"graph {graph} lost state {state}, in which {count} are" for graph, state, count in used)
        raise SchemaMismatch(f"{named}. Put the states back, or move those aggregates on first")
