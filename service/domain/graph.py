"""State graphs: which action leads where, who may take it and what plays by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from service.domain.actor import Actor

Aggregate = Literal["booking", "visit"]
InputKind = Literal["text", "id"]

ENTRY: Final = "entry"
_CUSTOMER_ACTIONS: Final = frozenset({"confirm", "decline", "cancel", "pay"})
_NO_FIELDS: Final[Mapping[str, object]] = MappingProxyType({})


class Access(StrEnum):
    """Whom a state lets in: everybody, internal and system alone, or nobody."""

    OPEN = "open"
    BLOCKED = "blocked"
    READ_ONLY = "read_only"

    def admits(self, actor: Actor) -> bool:
        """Whether this sender may change anything while the aggregate is in such a state."""
        return self is Access.OPEN or (self is Access.BLOCKED and not actor.bound_by_policy)


@dataclass(frozen=True, slots=True)
class State:
    """One state; `level` is set in level graphs alone."""

    name: str
    level: int | None
    access: Access
    final: bool


@dataclass(frozen=True, slots=True)
class Input:
    """An input that an action declares; `max_length` counts characters."""

    name: str
    required: bool
    kind: InputKind
    max_length: int


@dataclass(frozen=True, slots=True)
class Autoplay:
    """When an action plays by itself: after the state's entry or after a time member such as `ends_at`."""

    after: timedelta
    relative_to: str


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    `without` is (member, target): where the action leads while that member is null.
    `cascade` is the action that follows on every aggregate linked to this one as its owner.
    """

    name: str
    sources: frozenset[str]
    target: str
    actors: frozenset[Actor]
    inputs: tuple[Input, ...] = ()
    autoplay: Autoplay | None = None
    add_tag: str | None = None
    without: tuple[str, str] | None = None
    cascade: str | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Every state that the action can lead to."""
        return (self.target,) if self.without is None else (self.target, self.without[1])

    def destination(self, fields: Mapping[str, object] = _NO_FIELDS) -> str:
        """Where the action leads for an aggregate with these members."""
        if self.without is not None and fields.get(self.without[0]) is None:
            return self.without[1]
        return self.target


@dataclass(frozen=True, slots=True)
class Graph:
    """A state graph, checked and with its answers worked out in advance.

    `initial` begins with the default; `by_status` holds the states that a status_id sets freely;
    `owner_graph` is the graph that an owner_booking_id must point to.
    """

    name: str
    aggregate: Aggregate
    initial: tuple[str, ...]
    states: Mapping[str, State] = field(hash=False)
    actions: Mapping[str, Action] = field(hash=False)
    levels: bool = False
    by_status: frozenset[str] = frozenset()
    owner_graph: str | None = None
    _available: Mapping[tuple[str, Actor], tuple[str, ...]] = field(init=False, repr=False, compare=False)
    _timers: Mapping[str, tuple[Action, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work the answers out once, so that a command only looks them up."""
        object.__setattr__(self, "states", MappingProxyType(dict(self.states)))
        object.__setattr__(self, "actions", MappingProxyType(dict(self.actions)))
        available = {(state, actor): self._offers(state, actor) for state in self.states for actor in Actor}
        timers = {
            state: tuple(one for one in self.actions.values() if one.autoplay is not None and state in one.sources)
            for state in self.states
        }
        object.__setattr__(self, "_available", available)
        object.__setattr__(self, "_timers", timers)

    def _offers(self, state: str, actor: Actor) -> tuple[str, ...]:
        if not self.states[state].access.admits(actor):
            return ()
        return tuple(
            sorted(
                action.name
                for action in self.actions.values()
                if state in action.sources and self.permits(action, actor)
            )
        )

    def available(self, state: str, actor: Actor) -> tuple[str, ...]:
        """The sorted names of the actions that this sender may take from this state."""
        return self._available[state, actor]

    def permits(self, action: Action, actor: Actor) -> bool:
        """Whether this sender may take the action at all, whatever the state."""
        if actor not in action.actors:
            return False
        return actor is not Actor.CUSTOMER or is_for_customers(action.name)

    def timers(self, state: str) -> tuple[Action, ...]:
        """The actions that play by themselves and whose clock starts in this state."""
        return self._timers[state]

    def resolve_state(
        self, current: str, wanted: str, fields: Mapping[str, object] = _NO_FIELDS, actor: Actor | None = None
    ) -> Action | None:
        """The action that leads from the current state to the wanted one, named in any case.

        `fields` are the aggregate's members, which decide where an action with `without` leads. Of several actions
        the one named like the state is it, else the first that `actor` may take, else the first. In a level graph the
        current state doesn't matter, so that the caller can tell a level that doesn't increase. None where no action
        leads there; `knows_state` then tells an unknown state from one out of reach.
        """
        state = wanted.lower()
        leading = [
            action
            for action in self.actions.values()
            if (self.levels or current in action.sources) and action.destination(fields) == state
        ]
        for action in leading:
            if action.name == state:
                return action
        for action in leading:
            if actor is not None and self.permits(action, actor):
                return action
        return leading[0] if leading else None

    def knows_state(self, wanted: str) -> bool:
        """Whether the graph has this state, named in any case."""
        return wanted.lower() in self.states


def is_for_customers(action: str) -> bool:
    """Whether an action of this name is open to customers, where the graph lets them."""
    return action.endswith("_by_customer") or action in _CUSTOMER_ACTIONS
