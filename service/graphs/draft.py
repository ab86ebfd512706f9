"""A graph file as it was read: every member typed, nothing compared yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service.domain.actor import Actor
from service.domain.graph import ENTRY, Access, Aggregate, Autoplay, Input
from service.graphs.table import Table

TIME_MEMBERS: Final = ("starts_at", "ends_at")
NULLABLE_MEMBERS: Final[Mapping[Aggregate, tuple[str, ...]]] = {
    "booking": ("customer_id", "price", "provider_id", "resource_id", "service_id", "time_slot_id"),
    "visit": ("customer_id", "date", "duration", "ends_at", "starts_at"),
}
_ID_LENGTH: Final = 64
_TEXT_LENGTH: Final = 500
_TEXT_LIMIT: Final = 2000
_TAG_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class StateDraft:
    """A state as written; None is what the file leaves out."""

    table: Table
    name: str
    level: int | None
    access: Access
    final: bool | None


@dataclass(frozen=True, slots=True)
class ActionDraft:
    """An action as written; None is what the file leaves out or has wrong."""

    table: Table
    name: str
    sources: tuple[str, ...] | None
    target: str | None
    actors: frozenset[Actor]
    inputs: tuple[Input, ...]
    autoplay: Autoplay | None
    tag: str | None
    without: tuple[str, str] | None
    cascade: str | None

    @property
    def targets(self) -> tuple[str, ...]:
        """Every state that the action names as where it leads."""
        other = () if self.without is None else (self.without[1],)
        return other if self.target is None else (self.target, *other)


@dataclass(frozen=True, slots=True)
class GraphDraft:
    """A graph file as written, with the table that collects its mistakes."""

    table: Table
    name: str
    aggregate: Aggregate
    initial: tuple[str, ...]
    levels: bool
    by_status: tuple[str, ...]
    owner_graph: str | None
    states: Mapping[str, StateDraft]
    actions: Mapping[str, ActionDraft]

    def sources(self, action: ActionDraft) -> tuple[str, ...]:
        """Where the action starts: as written, or every lower level that isn't read-only."""
        if action.sources is not None:
            return action.sources
        target = self.states.get(action.target or "")
        if not self.levels or target is None or target.level is None:
            return ()
        return tuple(
            state.name
            for state in self.states.values()
            if state.level is not None and state.level < target.level and state.access is not Access.READ_ONLY
        )


def read_graph(file: str, name: str, document: Mapping[str, object], mistakes: list[str]) -> GraphDraft:
    """The draft of one file; what can't be read is added to the mistakes and left out."""
    table = Table(file, document, mistakes)
    table.snake(name)
    table.only("aggregate", "initial", "levels", "by_status", "owner_graph", "states", "actions")
    aggregate = _aggregate(table)
    states = table.tables("states", "state")
    actions = table.tables("actions", "action")
    for key, found in (("states", states), ("actions", actions)):
        if not found:
            table.wrong(f"{key} is missing or empty: write a table [{key}.NAME] for each")
    return GraphDraft(
        table=table,
        name=name,
        aggregate=aggregate,
        initial=_initial(table),
        levels=table.flag("levels") or False,
        by_status=table.texts("by_status") or (),
        owner_graph=table.text("owner_graph"),
        states={key: _state(one, key) for key, one in states.items()},
        actions={key: _action(one, key, aggregate) for key, one in actions.items()},
    )


def _aggregate(table: Table) -> Aggregate:
    match table.values.get("aggregate"):
        case "booking":
            return "booking"
        case "visit":
            return "visit"
        case other:
            table.wrong(f'aggregate must be "booking" or "visit", is {"missing" if other is None else repr(other)}')
            return "booking"


def _initial(table: Table) -> tuple[str, ...]:
    if isinstance(table.values.get("initial"), str):
        found = table.text("initial")
        return () if found is None else (found,)
    if not table.has("initial"):
        table.wrong("initial is missing: name the state that a new one is in, or a list that begins with the default")
    return table.texts("initial") or ()


def _state(table: Table, name: str) -> StateDraft:
    table.only("level", "access", "final")
    access = table.text("access")
    if access is not None and access not in tuple(Access):
        table.wrong(f"unknown access {access!r} (known: {', '.join(Access)})")
        access = None
    return StateDraft(table, name, table.integer("level", 0, 1000), Access(access or Access.OPEN), table.flag("final"))


def _action(table: Table, name: str, aggregate: Aggregate) -> ActionDraft:
    table.only("from", "to", "actors", "inputs", "autoplay", "tag", "without", "cascade")
    if name == "create":
        table.wrong("the name 'create' is taken: events say it of a creation")
    if not table.has("to"):
        table.wrong("to is missing: name the state that the action leads to")
    tag = table.text("tag")
    if tag is not None and (len(tag) > _TAG_LENGTH or not tag.isprintable() or tag != tag.strip()):
        table.wrong(f"tag must be printable text of at most {_TAG_LENGTH} characters, is {tag!r}")
    cascade = table.text("cascade")
    return ActionDraft(
        table=table,
        name=name,
        sources=table.texts("from"),
        target=table.text("to"),
        actors=_actors(table),
        inputs=tuple(_input(one, key) for key, one in table.tables("inputs", "input").items()),
        autoplay=_autoplay(table),
        tag=tag,
        without=_without(table, aggregate),
        cascade=cascade,
    )


def _actors(table: Table) -> frozenset[Actor]:
    if table.values.get("actors") == "all":
        return frozenset(Actor)
    names = table.texts("actors")
    if not table.has("actors"):
        table.wrong(f'actors is missing: "all", or a list out of {", ".join(Actor)}')
    for name in names or ():
        if name not in tuple(Actor):
            table.wrong(f"unknown actor {name!r} (known: {', '.join(Actor)})")
    return frozenset(Actor(name) for name in names or () if name in tuple(Actor))


def _input(table: Table, name: str) -> Input:
    table.only("kind", "required", "max_length")
    required = table.flag("required") or False
    kind = table.text("kind") or "text"
    if kind == "id":
        if table.has("max_length"):
            table.wrong(f"an id has no max_length of its own: it is {_ID_LENGTH}")
        return Input(name, required, "id", _ID_LENGTH)
    if kind != "text":
        table.wrong(f"unknown kind {kind!r} (known: text, id)")
    return Input(name, required, "text", table.integer("max_length", 1, _TEXT_LIMIT) or _TEXT_LENGTH)


def _autoplay(table: Table) -> Autoplay | None:
    inner = table.table("autoplay")
    if inner is None:
        return None
    inner.only("after", "relative_to")
    after = inner.duration("after")
    if not inner.has("after"):
        inner.wrong('after is missing: a duration such as "1h"')
    relative_to = inner.text("relative_to") or ENTRY
    if relative_to != ENTRY and relative_to not in TIME_MEMBERS:
        inner.wrong(f"relative_to names unknown member {relative_to!r} (known: {', '.join((ENTRY, *TIME_MEMBERS))})")
    if relative_to == ENTRY and after == timedelta():
        inner.wrong("after must be more than zero where the clock starts at the state's entry")
    return Autoplay(after or timedelta(), relative_to)


def _without(table: Table, aggregate: Aggregate) -> tuple[str, str] | None:
    inner = table.table("without")
    if inner is None:
        return None
    inner.only("member", "to")
    member, target = inner.text("member"), inner.text("to")
    if member is None or target is None:
        inner.wrong("member and to must both be given")
        return None
    known = NULLABLE_MEMBERS[aggregate]
    if member not in known:
        inner.wrong(f"unknown member {member!r} of a {aggregate} (known: {', '.join(known)})")
    return member, target
