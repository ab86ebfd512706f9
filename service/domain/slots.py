"""Resources held over time: a live booking holds its resource, a live visit with date and duration each of its own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.domain.graph import Graph
from service.domain.instants import instant
from service.domain.local_time import nearest_instant
from service.domain.model import KEEP_SLOTS, Aggregate, Members, Reason, Refused, Slot, Slots
from service.domain.world import World

LATEST = datetime.max.replace(tzinfo=UTC)
# The members of a booking that its claim is made of.
CLAIMED = frozenset({"location_id", "resource_id", "starts_at", "ends_at", "state"})


class Claim(NamedTuple):
    """What an aggregate holds by its state and members; the location is part of it, since its rules come with it."""

    location_id: str
    resource_ids: tuple[str, ...]
    start: datetime
    end: datetime


def booking_claim(booking: Members, graph: Graph) -> Claim | None:
    """Gives what a booking holds, or None."""
    if booking["resource_id"] is None or graph.states[booking["state"]].final:
        return None
    start, end = instant(booking["starts_at"]), instant(booking["ends_at"])
    return Claim(booking["location_id"], (booking["resource_id"],), start, end)


def visit_claim(visit: Members, graph: Graph, timezone: str) -> Claim | None:
    """Gives what a visit holds, or None; its date is on the location's clock."""
    if not (visit["resource_ids"] and visit["date"] and visit["duration"]) or graph.states[visit["state"]].final:
        return None
    # The location's clock may never show the date since its time zone was changed; the visit holds its resources still.
    start = nearest_instant(visit["date"], timezone)
    length = timedelta(seconds=visit["duration"])
    end = start + length if LATEST - start > length else LATEST
    return Claim(visit["location_id"], tuple(dict.fromkeys(visit["resource_ids"])), start, end)


def take(
    world: World, holder: Aggregate, before: Claim | None, after: Claim | None, *, allow_overbooking: bool
) -> Slots | Refused:
    """Moves an aggregate from one claim to another; where overbooking is not allowed a new claim must be free."""
    if before == after:
        return KEEP_SLOTS
    if after is None:
        return Slots(release=True, hold=None)
    if not allow_overbooking and world.slot_taken(holder, after.resource_ids, after.start, after.end):
        return Refused(Reason.SLOT_TAKEN)
    return Slots(
        release=before is not None, hold=Slot(after.resource_ids, after.start, after.end, not allow_overbooking)
    )


def overbooking_allowed(settings: Members, options: Members) -> bool:
    """The option of the call overrides the location's setting."""
    allowed = options.get("allow_overbooking")
    return bool(settings["booking_allow_overbooking"] if allowed is None else allowed)


def overlap(first: Sequence[datetime], second: Sequence[datetime]) -> bool:
    """Tells whether two half-open periods (start, end) share a moment."""
    return first[0] < second[1] and second[0] < first[1]
