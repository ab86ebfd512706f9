from collections.abc import Mapping
from datetime import timedelta
from itertools import combinations
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.actor import Actor
from service.domain.commands import (
    Command,
    ConfigureLocation,
    Context,
    CreateBooking,
    CreateVisit,
    UpdateBooking,
    UpdateVisit,
)
from service.domain.model import Accepted, Refused
from tests.support import strategies
from tests.support.builders import ACCOUNT, NOW
from tests.support.spec import decide_soundly
from tests.support.world import Account

# Stories are large; a busy machine draws them slowly.
SLOWLY: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
contexts = st.builds(
    Context,
    st.just(ACCOUNT),
    strategies.actors,
    st.integers(-90, 90).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    st.none() | st.none() | st.integers(1, 4),
)


def played(story: list[tuple[Command, Context]], graph_settings: Mapping[str, Any]) -> Account:
    """The account after a story at two locations; whatever is decided is checked on the way."""
    world = Account()
    for place in strategies.LOCATIONS:
        configured = decide_soundly(
            world, ConfigureLocation(place, graph_settings), Context(ACCOUNT, Actor.INTERNAL, NOW)
        )
        world = world.after(configured)
    for command, context in story:
        decision = decide_soundly(world, command, context)
        assert isinstance(decision, Accepted | Refused)
        world = world.after(decision)
    return world


stories = st.lists(st.tuples(strategies.commands, contexts), max_size=25)
made_here = st.lists(st.tuples(strategies.creations | strategies.updates | strategies.actions, contexts), max_size=30)


@settings(SLOWLY, max_examples=150)
@given(stories)
def test_any_story_has_an_answer(story: list[tuple[Command, Context]]) -> None:
    """Deciding never raises, is repeatable, touches nothing, and versions are gapless in whatever order."""
    played(story, {"statuses": strategies.STATUSES})


@settings(SLOWLY, max_examples=100)
@given(made_here)
def test_what_holds_for_an_account_holds_after_any_story(story: list[tuple[Command, Context]]) -> None:
    """External ids are unique, only the living hold and wait, budgets are never overdrawn."""
    world = played(story, {"statuses": strategies.STATUSES, "customer_policy": {"max_changes": 1}})
    everyone = [one for one in world.aggregates.values() if one.kind != "location"]
    borne = [one.snapshot["external_id"] for one in everyone if one.snapshot.get("external_id")]
    assert len(set(borne)) == len(borne)
    for one in everyone:
        state = world.graphs[one.snapshot["graph"]].states[one.snapshot["state"]]
        key = (one.kind, one.id)
        assert not (state.final and key in world.held)
        timers = {action.name for action in world.graphs[one.snapshot["graph"]].timers(state.name)}
        assert set(world.timers[key]) == timers
        if one.kind == "booking":
            assert (key in world.held) == (one.snapshot["resource_id"] is not None and not state.final)
            assert one.snapshot["changes_left"] in (0, 1)


@settings(SLOWLY, max_examples=100)
@given(made_here)
def test_nothing_is_held_twice_where_nobody_may(story: list[tuple[Command, Context]]) -> None:
    """Without the option to overbook no two holders ever overlap on a resource."""
    calm = [(_without_force(command), context) for command, context in story]
    world = played(calm, {"booking_allow_overbooking": False})
    for first, second in combinations(world.held.values(), 2):
        apart = first.end <= second.start or second.end <= first.start
        assert apart or set(first.resource_ids).isdisjoint(second.resource_ids)


def _without_force(command: Command) -> Command:
    match command:
        case CreateBooking() | UpdateBooking() | CreateVisit() | UpdateVisit():
            return command._replace(options={})
        case _:
            return command
