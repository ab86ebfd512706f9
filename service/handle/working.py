"""The accounts as they stand while a batch is decided: what was loaded, with every change so far on top."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from service.domain.graph import Graph
from service.domain.group import groups_of
from service.domain.model import Aggregate, Changed, Kind, Members, Slot
from service.domain.slots import overlap
from service.handle.loaded import CustomerKey, Group, GroupKey, Holding, Key, Loaded, ResourceKey, TimerKey

Need = tuple[ResourceKey, datetime, datetime]


class Working:
    """Overlay over `Loaded`; one for each time that a batch is decided."""

    def __init__(self, loaded: Loaded, graphs: Mapping[str, Graph]) -> None:
        self.loaded = loaded
        self.graphs = graphs
        self.uncovered: list[Need] = []
        self.uncounted: set[CustomerKey] = set()
        self._aggregates: dict[Key, Aggregate] = {}
        self._groups: dict[GroupKey, Group] = {}
        self._external_ids: dict[tuple[str, str], str | None] = {}
        self._moved_visits: dict[Key, tuple[str, str] | None] = {}
        self._held: dict[Key, Slot | None] = {}
        self._held_on: dict[ResourceKey, dict[Key, Slot]] = {}
        self._timers_gone: set[Key] = set()

    def find(self, key: Key) -> Aggregate | None:
        """Gives an aggregate; LookupError tells that it was not loaded, which is a defect."""
        found = self._aggregates.get(key)
        return found if found is not None else self.loaded.aggregates[key]

    def settings_of(self, aggregate: Aggregate) -> Members:
        """Gives the settings of the location where a booking or visit is; LookupError as in `find`."""
        location = self.find((aggregate.account_id, "location", aggregate.snapshot["location_id"]))
        if location is None:
            raise LookupError(f"{aggregate.kind} {aggregate.id} is nowhere")
        return location.snapshot

    def group(self, key: GroupKey) -> Group:
        """Gives the row of a group."""
        return self._groups.get(key) or self.loaded.groups[key]

    def external_id_holder(self, account_id: str, external_id: str) -> str | None:
        """Gives the visit that bears an external id."""
        key = (account_id, external_id)
        return self._external_ids[key] if key in self._external_ids else self.loaded.external_ids.get(key)

    def active_visits(self, account_id: str, location_id: str, customer_id: str) -> set[str]:
        """Gives the visits of a customer that are not over; a customer that is not loaded yet is noted."""
        known = self.loaded.active_visits.get((account_id, location_id, customer_id))
        if known is None:
            self.uncounted.add((account_id, location_id, customer_id))
        found = set(known or ())
        for (account, _, visit_id), place in self._moved_visits.items():
            if account == account_id:
                found.discard(visit_id)
                if place == (location_id, customer_id):
                    found.add(visit_id)
        return found

    def timer(self, key: TimerKey) -> str | None:
        """Gives the id of a timer that is still there."""
        return None if key[:3] in self._timers_gone else self.loaded.timers.get(key)

    def slot_taken(self, holder: Key, resource_ids: Sequence[str], start: datetime, end: datetime) -> bool:
        """Tells whether somebody else holds one of the resources then; what is not loaded yet is noted as a need."""
        taken = False
        for resource_id in resource_ids:
            resource = (holder[0], resource_id)
            known = self.loaded.holdings.get(resource)
            if known is None or start < known.start or end > known.end:
                self.uncovered.append((resource, start, end))
                continue
            taken = taken or any(
                slot.holder != holder and overlap((slot.start, slot.end), (start, end))
                for slot in self._slots_on(resource, known.slots)
            )
        return taken

    def _slots_on(self, resource: ResourceKey, loaded: Iterable[Holding]) -> Iterable[Holding]:
        yield from (slot for slot in loaded if slot.holder not in self._held)
        for holder, slot in self._held_on.get(resource, {}).items():
            yield Holding(holder, slot.start, slot.end)

    def apply(self, changes: Iterable[Changed], bumped: Iterable[GroupKey]) -> None:
        """Puts accepted changes on top, so that the next command of the batch sees them."""
        for changed in changes:
            after = changed.after
            key: Key = (after.account_id, after.kind, after.id)
            self._aggregates[key] = after
            if changed.timers.clear or changed.timers.start:
                self._timers_gone.add(key)
            if changed.slots.release or changed.slots.hold is not None:
                self._hold(key, changed.slots.hold)
            if after.kind == "booking" and after.version == 1:
                self._join(after)
            elif after.kind == "visit":
                self._visit_moved(key, changed)
        for key_of_group in bumped:
            group = self.group(key_of_group)
            self._groups[key_of_group] = Group(group.version + 1, group.size, group.members)

    def _hold(self, holder: Key, slot: Slot | None) -> None:
        before = self._held.get(holder)
        for resource_id in before.resource_ids if before is not None else ():
            self._held_on[holder[0], resource_id].pop(holder, None)
        if slot is not None:
            for resource_id in slot.resource_ids:
                self._held_on.setdefault((holder[0], resource_id), {})[holder] = slot
        self._held[holder] = slot

    def _join(self, booking: Aggregate) -> None:
        for name in groups_of(booking.snapshot):
            group = self.group((booking.account_id, name))
            members = None if group.members is None else tuple(sorted((*group.members, booking.id)))
            self._groups[booking.account_id, name] = Group(group.version + 1, group.size + 1, members)

    def _visit_moved(self, key: Key, changed: Changed) -> None:
        account_id, _, visit_id = key
        if "external_id" in changed.changes:
            old, new = changed.changes["external_id"]
            if old is not None:
                self._external_ids[account_id, old] = None
            if new is not None:
                self._external_ids[account_id, new] = visit_id
        self._moved_visits[key] = active_place(changed.after, self.graphs)


def active_place(visit: Aggregate, graphs: Mapping[str, Graph]) -> tuple[str, str] | None:
    """Gives the location and customer that a visit counts for while it is not over."""
    snapshot = visit.snapshot
    if snapshot["customer_id"] is None or graphs[snapshot["graph"]].states[snapshot["state"]].final:
        return None
    return snapshot["location_id"], snapshot["customer_id"]


class AccountView:
    """One account as one command sees it; it notes what the command looked at."""

    def __init__(self, working: Working, account_id: str) -> None:
        self._working = working
        self._account_id = account_id
        self.touched: list[tuple[str, str, str]] = []
        self.groups_read: list[GroupKey] = []

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every state graph by name."""
        return self._working.graphs

    def find(self, kind: Kind, aggregate_id: str) -> Aggregate | None:
        """Gives an aggregate of the account."""
        key: Key = (self._account_id, kind, aggregate_id)
        self.touched.append(key)
        return self._working.find(key)

    def members(self, group: str) -> Sequence[str]:
        """Gives the ids of a group's bookings."""
        key = (self._account_id, group)
        self.groups_read.append(key)
        self.touched.append((self._account_id, "group", group))
        return self._working.group(key).members or ()

    def group_size(self, group: str) -> int:
        """Gives how many bookings a group has."""
        self.touched.append((self._account_id, "group", group))
        return self._working.group((self._account_id, group)).size

    def external_id_holder(self, external_id: str) -> str | None:
        """Gives the visit that bears an external id."""
        self.touched.append((self._account_id, "external_id", external_id))
        return self._working.external_id_holder(self._account_id, external_id)

    def slot_taken(self, holder: Aggregate, resource_ids: Sequence[str], start: datetime, end: datetime) -> bool:
        """Tells whether another live holder has one of the resources then."""
        self.touched.extend((self._account_id, "resource", resource_id) for resource_id in resource_ids)
        return self._working.slot_taken((holder.account_id, holder.kind, holder.id), resource_ids, start, end)

    def active_visits(self, location_id: str, customer_id: str) -> Sequence[str]:
        """Gives the customer's visits at the location that are not over."""
        self.touched.append((self._account_id, "customer", customer_id))
        return sorted(self._working.active_visits(self._account_id, location_id, customer_id))
