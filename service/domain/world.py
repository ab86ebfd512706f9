"""What a decision may look at: the account as it stands after every command before this one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from service.domain.graph import Graph
from service.domain.model import Aggregate, Kind


class World(Protocol):
    """One account, seen by one command; it does not change while the command is decided."""

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every state graph by name."""
        ...

    def find(self, kind: Kind, aggregate_id: str) -> Aggregate | None:
        """The aggregate, or None when the account has none of that id."""
        ...

    def members(self, group: str) -> Sequence[str]:
        """Ids of the bookings of a group (see `group.bulk` and `group.owned`), sorted."""
        ...

    def group_size(self, group: str) -> int:
        """How many bookings a group has."""
        ...

    def external_id_holder(self, external_id: str) -> str | None:
        """The visit that bears the external id, or None."""
        ...

    def slot_taken(self, holder: Aggregate, resource_ids: Sequence[str], start: datetime, end: datetime) -> bool:
        """Whether another live holder has one of the resources at an overlapping time."""
        ...

    def active_visits(self, location_id: str, customer_id: str) -> Sequence[str]:
        """Ids of the customer's visits at the location that are not over."""
        ...
