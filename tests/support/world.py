"""An account in memory that the domain can look at: what was decided so far, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from types import MappingProxyType

from service.domain import group
from service.domain.graph import Graph
from service.domain.model import Accepted, Aggregate, Changed, Decision, Kind, Slot
from service.domain.slots import overlap
from service.graphs.loader import load_graphs

Key = tuple[Kind, str]


@cache
def shipped_graphs() -> Mapping[str, Graph]:
    """The graphs that ship with the service."""
    return load_graphs(None)


@dataclass(frozen=True, slots=True)
class Account:
    """One account; `after` gives another one, so that whoever holds this one sees no change."""

    graphs: Mapping[str, Graph] = field(default_factory=shipped_graphs)
    aggregates: Mapping[Key, Aggregate] = field(default_factory=dict)
    held: Mapping[Key, Slot] = field(default_factory=dict)
    timers: Mapping[Key, Mapping[str, datetime]] = field(default_factory=dict)

    def find(self, kind: Kind, aggregate_id: str) -> Aggregate | None:
        """Gives an aggregate."""
        return self.aggregates.get((kind, aggregate_id))

    def members(self, group: str) -> Sequence[str]:
        """Gives the ids of a group's bookings, sorted."""
        return sorted(booking.id for booking in self._bookings(group))

    def group_size(self, group: str) -> int:
        """Gives how many bookings a group has."""
        return len(self._bookings(group))

    def _bookings(self, name: str) -> list[Aggregate]:
        return [
            one for one in self.aggregates.values() if one.kind == "booking" and name in group.groups_of(one.snapshot)
        ]

    def external_id_holder(self, external_id: str) -> str | None:
        """Gives the visit that bears an external id."""
        holders = [one.id for one in self._visits() if one.snapshot["external_id"] == external_id]
        return holders[0] if holders else None

    def active_visits(self, location_id: str, customer_id: str) -> Sequence[str]:
        """Gives the customer's visits at the location that are not over."""
        return sorted(
            one.id
            for one in self._visits()
            if (one.snapshot["location_id"], one.snapshot["customer_id"]) == (location_id, customer_id)
            and not self.graphs[one.snapshot["graph"]].states[one.snapshot["state"]].final
        )

    def _visits(self) -> list[Aggregate]:
        return [one for one in self.aggregates.values() if one.kind == "visit"]

    def slot_taken(self, holder: Aggregate, resource_ids: Sequence[str], start: datetime, end: datetime) -> bool:
        """Tells whether somebody else holds one of the resources then."""
        return any(
            not set(slot.resource_ids).isdisjoint(resource_ids) and overlap((slot.start, slot.end), (start, end))
            for key, slot in self.held.items()
            if key != (holder.kind, holder.id)
        )

    def after(self, decision: Decision) -> "Account":
        """The account when the decision is carried out."""
        account = self
        for changed in decision.changes if isinstance(decision, Accepted) else ():
            account = account._with(changed)
        return account

    def _with(self, changed: Changed) -> "Account":
        key: Key = (changed.after.kind, changed.after.id)
        held = {other: slot for other, slot in self.held.items() if other != key or not changed.slots.release}
        if changed.slots.hold is not None:
            held[key] = changed.slots.hold
        timers = {} if changed.timers.clear else dict(self.timers.get(key, {}))
        timers |= {timer.action: timer.due_at for timer in changed.timers.start}
        return replace(
            self,
            aggregates=MappingProxyType({**self.aggregates, key: changed.after}),
            held=MappingProxyType(held),
            timers=MappingProxyType({**self.timers, key: MappingProxyType(timers)}),
        )
