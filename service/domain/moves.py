"""Whether an action may be taken: access class, then the actor, then level or availability, then the inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.actor import Actor
from service.domain.graph import Access, Action, Graph
from service.domain.inputs import check_inputs
from service.domain.model import Members, Reason, Refused
from service.domain.policy import forbids_cancel


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: exactly one of an action and a state (any case)."""

    action: str | None
    state: str | None
    inputs: Members


@dataclass(frozen=True, slots=True)
class Move:
    """A legal action and where it leads."""

    action: Action
    target: str
    inputs: Mapping[str, Any]


class Already:
    """The wanted state is the one it is in."""


def access(graph: Graph, state: str, actor: Actor) -> Refused | None:
    """Refuses a change of any kind in a state that keeps this actor out."""
    access_class = graph.states[state].access
    if access_class.admits(actor):
        return None
    return Refused(Reason.READ_ONLY if access_class is Access.READ_ONLY else Reason.BLOCKED)


def find_move(graph: Graph, members: Members, wish: Wish, actor: Actor, settings: Members) -> Move | Already | Refused:
    """Resolves a wish for an aggregate with these members; the guards stand in the order of the contract."""
    state = members["state"]
    if refused := access(graph, state, actor):
        return refused
    if wish.state is not None and not graph.levels and wish.state.lower() == state:
        return Already()
    action = _resolve(graph, members, wish, actor)
    if isinstance(action, Refused):
        return action
    if not graph.permits(action, actor):
        return Refused(Reason.ACTOR_NOT_ALLOWED)
    target = action.destination(members)
    if graph.levels and _level(graph, target) <= _level(graph, state):
        return Refused(Reason.LEVEL_NOT_INCREASING)
    if state not in action.sources:
        return Refused(Reason.ACTION_NOT_AVAILABLE)
    inputs = check_inputs(action, wish.inputs)
    if isinstance(inputs, Refused):
        return inputs
    if actor.bound_by_policy and forbids_cancel(action.name, settings):
        return Refused(Reason.CAN_CANCEL)
    return Move(action, target, inputs)


def _resolve(graph: Graph, members: Members, wish: Wish, actor: Actor) -> Action | Refused:
    if wish.action is not None:
        return graph.actions.get(wish.action) or Refused(Reason.UNKNOWN_ACTION)
    wanted = wish.state or ""
    action = graph.resolve_state(members["state"], wanted, members, actor)
    if action is not None:
        return action
    if not graph.knows_state(wanted):
        return Refused(Reason.UNKNOWN_ACTION)
    return Refused(Reason.LEVEL_NOT_INCREASING if graph.levels else Reason.ACTION_NOT_AVAILABLE)


def _level(graph: Graph, state: str) -> int:
    return graph.states[state].level or 0


def moved_members(members: Members, move: Move) -> dict[str, Any]:
    """Gives the members that a move sets: the state, and the tag that tells how it came about."""
    moved: dict[str, Any] = {"state": move.target}
    tag = move.action.add_tag
    if tag is not None and tag not in members["tags"]:
        moved["tags"] = [*members["tags"], tag]
    return moved
