"""What may be asked of the service, with everything already validated one by one and ids as text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from service.domain.actor import Actor
from service.domain.link import Link
from service.domain.model import Members

NOTHING: Mapping[str, Any] = {}


class CreateBooking(NamedTuple):
    """Registers a booking on a graph (None: the location's default one)."""

    booking_id: str
    location_id: str
    booking: Members
    graph: str | None = None
    bulk_id: str | None = None
    owner_booking_id: str | None = None
    options: Members = NOTHING


class UpdateBooking(NamedTuple):
    """Merges a patch into a booking."""

    booking_id: str
    patch: Members
    options: Members = NOTHING


class CreateVisit(NamedTuple):
    """Registers a visit of a customer, named or known by contact."""

    visit_id: str
    location_id: str
    visit: Members
    customer_id: str | None = None
    options: Members = NOTHING


class UpdateVisit(NamedTuple):
    """Merges a patch into a visit; `state` in it is a move within the same change."""

    visit_id: str
    patch: Members
    options: Members = NOTHING


class StateAction(NamedTuple):
    """Performs an action, named or told by the state that it leads to; `link` is what lets a customer do so, once."""

    kind: Literal["booking", "visit"]
    target_id: str
    action: str | None = None
    state: str | None = None
    inputs: Members = NOTHING
    apply_to_bulked_bookings: bool = True
    on_sibling_refusal: Literal["skip", "abort"] = "skip"
    link: Link | None = None


class ConfigureLocation(NamedTuple):
    """Merges settings into those of a location, which begins with the first of them."""

    location_id: str
    settings: Members


class ErasePerson(NamedTuple):
    """Blanks whom a booking or visit is about."""

    kind: Literal["booking", "visit"]
    target_id: str


Command = CreateBooking | UpdateBooking | CreateVisit | UpdateVisit | StateAction | ConfigureLocation | ErasePerson


class Context(NamedTuple):
    """Who asks, when the broker took the command (UTC), and what they believe the version to be."""

    account_id: str
    actor: Actor
    now: datetime
    expected_version: int | None = None
