"""Graphs are compared with the revision that the database was last migrated with."""

import asyncpg
import pytest

from service.domain.actor import Actor
from service.domain.graph import Access, Action, Graph, State
from service.errors import SchemaMismatch
from service.store.graph_revision import lost_states, settle_graphs

STATE = '{"graph": "house", "state": "closed"}'


def _graph(*states: str) -> dict[str, Graph]:
    made = {name: State(name, None, Access.OPEN, final=False) for name in states}
    action = Action("go", frozenset(states[:1]), states[-1], frozenset(Actor))
    return {"house": Graph("house", "booking", states[:1], made, {"go": action})}


async def _revisions(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM graph_revision"))
    finally:
        await connection.close()


async def _book(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO aggregate (account_id, kind, aggregate_id, version, state) "
        "VALUES ('acc-1', 'booking', 'b-1', 1, $1)",
        STATE.encode(),
    )
    await connection.close()


async def test_a_revision_is_recorded_once(database_url: str) -> None:
    """The same graphs again make no new revision, other graphs do, and a look records nothing."""
    await settle_graphs(database_url, _graph("open", "closed"))
    await settle_graphs(database_url, _graph("open", "closed"))
    assert await _revisions(database_url) == 1
    await settle_graphs(database_url, _graph("open", "closed", "gone"), record=False)
    assert await _revisions(database_url) == 1
    await settle_graphs(database_url, _graph("open", "closed", "gone"))
    assert await _revisions(database_url) == 2


async def test_a_state_in_use_cannot_be_lost(database_url: str) -> None:
    """A graph without a state that a booking is in is refused, with graph, state and number; nothing is recorded."""
    await settle_graphs(database_url, _graph("open", "closed"))
    await _book(database_url)
    with pytest.raises(SchemaMismatch, match="graph house lost state closed, in which 1 are"):
        await settle_graphs(database_url, _graph("open", "shut"))
    assert await _revisions(database_url) == 1


async def test_a_state_that_nobody_is_in_can_be_lost(database_url: str) -> None:
    """A state that is not in use may go, and so may a whole graph."""
    await settle_graphs(database_url, _graph("open", "closed"))
    await settle_graphs(database_url, {})
    assert await _revisions(database_url) == 2


def test_lost_states_are_those_that_were_there() -> None:
    """New graphs and new states are no loss."""
    before = {"house": ["closed", "open"], "flat": ["let"]}
    assert lost_states(before, {"house": ["closed", "new"], "boat": ["afloat"]}) == [("house", "open"), ("flat", "let")]
