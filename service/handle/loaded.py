"""What a batch has loaded: facts of the database at one moment, never changed afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from service.domain.model import Aggregate, Kind

Key = tuple[str, Kind, str]
GroupKey = tuple[str, str]
ResourceKey = tuple[str, str]
CustomerKey = tuple[str, str, str]
TimerKey = tuple[str, Kind, str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """The row of a group (version 0: not there yet) and, where an action needs them, the ids of its members."""

    version: int
    size: int
    members: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """A slot of somebody on a resource."""

    holder: Key
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Holdings:
    """Every holding on a resource that touches the period from start to end."""

    start: datetime
    end: datetime
    slots: tuple[Holding, ...]


@dataclass(slots=True)
class Loaded:
    """Everything that the decisions of a batch may look at; what is absent here was not asked for."""

    aggregates: dict[Key, Aggregate | None] = field(default_factory=dict)
    groups: dict[GroupKey, Group] = field(default_factory=dict)
    external_ids: Mapping[tuple[str, str], str] = field(default_factory=dict)
    active_visits: Mapping[CustomerKey, frozenset[str]] = field(default_factory=dict)
    timers: Mapping[TimerKey, str] = field(default_factory=dict)
    holdings: dict[ResourceKey, Holdings] = field(default_factory=dict)
