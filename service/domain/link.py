"""Action links: which actions a guest is offered, until when, and which links have been used.

A link is of one event: the next event of the same aggregate offers new ones, and those before live on beside them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from service.domain.actor import Actor
from service.domain.graph import Graph
from service.domain.instants import instant, instant_text
from service.domain.local_time import nearest_instant
from service.domain.model import Aggregate, Members

LATEST: Final = datetime.max.replace(tzinfo=UTC)
# What has no end that is known, or is over already, can still be answered for a day.
AT_LEAST: Final = timedelta(days=1)
# Append times of one partition may step back when its leader changes: a use is remembered for longer than it matters.
MARGIN: Final = timedelta(days=1)
USED: Final = "used_links"


@dataclass(frozen=True, slots=True)
class Link:
    """What a token proves of its bearer: the action that is offered, by which version's event, and the last instant."""

    action: str
    version: int
    expires_at: datetime


def offered(graph: Graph, after: Aggregate, timezone: str, now: datetime) -> tuple[Link, ...]:
    """Gives the links that the event of a change carries: one for each action that a customer may take from there."""
    actions = graph.available(after.snapshot["state"], Actor.CUSTOMER)
    if not actions:
        return ()
    expires_at = _expiry(after, timezone, now)
    return tuple(Link(action, after.version, expires_at) for action in actions)


def _expiry(after: Aggregate, timezone: str, now: datetime) -> datetime:
    """A link lives until what it is about ends."""
    ends = _end(after.snapshot, timezone) if after.kind == "visit" else instant(after.snapshot["ends_at"])
    if ends is not None and ends > now:
        return ends
    return _later(now, AT_LEAST)


def _end(visit: Members, timezone: str) -> datetime | None:
    known = [instant(visit[name]) for name in ("starts_at", "ends_at") if visit[name] is not None]
    if visit["date"] is not None:
        known.append(_later(nearest_instant(visit["date"], timezone), timedelta(seconds=visit["duration"] or 0)))
    return max(known, default=None)


def _later(moment: datetime, length: timedelta) -> datetime:
    return moment + length if LATEST - moment > length else LATEST


def is_used(aggregate: Aggregate, link: Link) -> bool:
    """Tells whether the link has been redeemed."""
    used = (aggregate.memo or {}).get(USED, ())
    return any((action, version) == (link.action, link.version) for action, version, _ in used)


def with_use(memo: Members | None, link: Link, now: datetime) -> Members:
    """Adds the use of a link to what is remembered of its aggregate, and forgets the uses of links that are over."""
    kept = [use for use in (memo or {}).get(USED, ()) if _later(instant(use[2]), MARGIN) >= now]
    return {**(memo or {}), USED: [*kept, [link.action, link.version, instant_text(link.expires_at)]]}
