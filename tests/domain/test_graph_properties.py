from collections.abc import Iterator
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.commands import Command
from service.domain.graph import Access, Action, Graph
from service.domain.model import Accepted, Reason, Refused
from tests.support.builders import act, booking, location, reach, update, visit
from tests.support.spec import Given, given
from tests.support.strategies import STATUSES
from tests.support.world import shipped_graphs

GRAPHS = sorted(shipped_graphs())
DOCUMENTED = {
    Reason.BLOCKED,
    Reason.READ_ONLY,
    Reason.LEVEL_NOT_INCREASING,
    Reason.ACTION_NOT_AVAILABLE,
    Reason.ACTOR_NOT_ALLOWED,
}


def beginnings(graph: Graph) -> Iterator[Given]:
    """An aggregate in each initial state of a graph."""
    date: dict[str, Any] = {"date": "2030-05-01T12:00"}
    if graph.aggregate == "booking":
        yield given(location(statuses=STATUSES), booking("b1", graph.name))
    else:
        yield given(location(), visit("v1"))
        yield given(location(), visit("v1", **date))
        yield given(location(booking_approval=True), visit("v1", **date))
        yield given(location(booking_hold=True), visit("v1", **date))


def name_of(graph: Graph) -> str:
    """The id of the aggregate that is looked at."""
    return "b1" if graph.aggregate == "booking" else "v1"


def state_of(one: Given, graph: Graph) -> str:
    """The state that it is in."""
    state: str = one.world.aggregates[graph.aggregate, name_of(graph)].snapshot["state"]
    return state


def needed(action: Action) -> dict[str, Any]:
    """The inputs that an action can't do without."""
    return {one.name: "p-1" for one in action.inputs if one.required}


def ask(action: Action, graph: Graph) -> Command:
    """The action with the inputs that it needs."""
    return act(action.name, name_of(graph), **needed(action))


def everywhere(graph: Graph) -> list[Given]:
    """An aggregate in each state that can be reached, with a date and without."""
    waiting, found = list(beginnings(graph)), dict[tuple[str, bool], Given]()
    while waiting:
        one = waiting.pop()
        snapshot = one.world.aggregates[graph.aggregate, name_of(graph)].snapshot
        key = (snapshot["state"], bool(snapshot.get("date")))
        if key in found:
            continue
        found[key] = one
        asked: list[Command] = [ask(action, graph) for action in graph.actions.values()]
        asked += [update(status_id=status["id"]) for status in STATUSES[:4] if graph.by_status]
        outcomes = [one.when(command, actor=actor) for command in asked for actor in Actor]
        waiting += [Given(when.after) for when in outcomes if isinstance(when.decision, Accepted)]
    return list(found.values())


@pytest.mark.parametrize("name", GRAPHS)
def test_every_state_is_reached(name: str) -> None:
    """There is a way to every state of a graph."""
    graph = shipped_graphs()[name]
    assert {state_of(one, graph) for one in everywhere(graph)} == set(graph.states)


@pytest.mark.parametrize("name", GRAPHS)
def test_from_every_state_every_action_by_everybody_has_an_answer(name: str) -> None:
    """An action leads where the graph says with one version more, or is refused for a reason that is documented."""
    graph = shipped_graphs()[name]
    for one in everywhere(graph):
        before = one.world.aggregates[graph.aggregate, name_of(graph)]
        state = before.snapshot["state"]
        for action in graph.actions.values():
            for actor in Actor:
                when = one.when(ask(action, graph), actor=actor)
                if action.name in graph.available(state, actor):
                    when.then(
                        version=before.version + 1,
                        action=action.name,
                        from_state=state,
                        state=action.destination(before.snapshot),
                    )
                else:
                    assert isinstance(when.decision, Refused)
                    assert when.decision.reason in DOCUMENTED


@pytest.mark.parametrize("name", GRAPHS)
def test_what_is_on_offer_is_what_is_accepted(name: str) -> None:
    """available_actions for an external actor are those that an external actor can take."""
    graph = shipped_graphs()[name]
    for one in everywhere(graph):
        taken = [
            action.name
            for action in graph.actions.values()
            if isinstance(one.when(ask(action, graph)).decision, Accepted)
        ]
        assert tuple(sorted(taken)) == graph.available(state_of(one, graph), Actor.EXTERNAL)


@pytest.mark.parametrize("name", GRAPHS)
def test_final_states_are_final(name: str) -> None:
    """Nobody leaves a final state by any action or state, but for restore."""
    graph = shipped_graphs()[name]
    for one in everywhere(graph):
        state = state_of(one, graph)
        if not graph.states[state].final:
            continue
        asked = [ask(action, graph) for action in graph.actions.values() if action.name != "restore"]
        asked += [reach(other, name_of(graph)) for other in graph.states if name != "waitlist" or other == "serving"]
        for command in asked:
            for actor in Actor:
                decision = one.when(command, actor=actor).decision
                assert isinstance(decision, Refused) or not decision.changes


@pytest.mark.parametrize("name", GRAPHS)
def test_a_state_answers_as_its_action_would(name: str) -> None:
    """By state and by action there is one answer, wherever a state has one action that leads to it."""
    graph = shipped_graphs()[name]
    for one in everywhere(graph):
        here = one.world.aggregates[graph.aggregate, name_of(graph)].snapshot
        for action in graph.actions.values():
            target = action.destination(here)
            if action.name in ("cancel", "mark_no_show", "expire") and name == "waitlist":
                continue
            if target == here["state"] or (here["state"] not in action.sources and not graph.levels):
                continue
            for actor in Actor:
                by_state = one.when(reach(target.upper(), name_of(graph), **needed(action)), actor=actor)
                assert by_state.decision == one.when(ask(action, graph), actor=actor).decision


@pytest.mark.parametrize("name", GRAPHS)
def test_a_state_that_keeps_somebody_out_keeps_updates_out_too(name: str) -> None:
    """Read-only is for everybody, blocked for those outside, open for nobody."""
    graph = shipped_graphs()[name]
    for one in everywhere(graph) if graph.aggregate == "booking" else []:
        access = graph.states[state_of(one, graph)].access
        for actor in Actor:
            when = one.when(update(notes="x"), actor=actor)
            if access is Access.READ_ONLY:
                when.then_refused(Reason.READ_ONLY)
            elif access is Access.BLOCKED and actor in (Actor.EXTERNAL, Actor.CUSTOMER):
                when.then_refused(Reason.BLOCKED)
            else:
                when.then(notes="x", action=None)
