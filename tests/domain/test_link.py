from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.booking_rules import DEFAULTS as BOOKING
from service.domain.link import AT_LEAST, MARGIN, USED, Link, is_used, offered, with_use
from service.domain.model import Aggregate
from service.domain.visit_rules import DEFAULTS as VISIT
from service.graphs.loader import load_graphs

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 24, 20, 0, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
GRAPHS = load_graphs(None)


def booking(graph: str, state: str, **members: Any) -> Aggregate:
    """A booking of an evening at version 4."""
    times = {"starts_at": "2026-12-24T18:00:00Z", "ends_at": "2026-12-24T20:00:00Z"}
    return Aggregate("booking", "a", "b", 4, {**BOOKING, **times, "graph": graph, "state": state, **members})


def visit(state: str = "booked", **members: Any) -> Aggregate:
    """A visit at version 4."""
    return Aggregate("visit", "a", "v", 4, {**VISIT, "graph": "waitlist", "state": state, **members})


def actions(aggregate: Aggregate) -> list[str]:
    """What the event of a change offers to a customer."""
    return [link.action for link in offered(GRAPHS[aggregate.snapshot["graph"]], aggregate, "UTC", NOW)]


def expiry(aggregate: Aggregate, now: datetime = NOW, timezone: str = "UTC") -> datetime:
    """When the links of a change expire: all at once."""
    (found,) = {link.expires_at for link in offered(GRAPHS[aggregate.snapshot["graph"]], aggregate, timezone, now)}
    return found


@pytest.mark.parametrize(
    ("graph", "state", "expected"),
    [
        ("venue", "registered", ["cancel"]),
        ("venue", "seated", []),
        ("venue", "cancelled", []),
        ("instant", "confirmed", ["cancel", "cancel_by_customer", "reschedule_by_customer"]),
        ("instant", "completed", []),
        ("confirm_decline", "tentative", ["confirm", "decline"]),
        ("instant_payment", "tentative", ["pay"]),
        ("instant_payment", "paid", ["cancel", "cancel_by_customer"]),
        ("group_owner", "tentative", ["cancel"]),
        ("group_customer", "confirmed", ["cancel_by_customer"]),
        ("group_customer_payment", "tentative", ["pay"]),
        ("group_customer_payment", "paid", ["cancel_by_customer"]),
        ("status", "reserved", ["cancel"]),
    ],
)
def test_what_a_customer_is_offered(graph: str, state: str, expected: list[str]) -> None:
    """Links are there for the available actions that are open to customers, and for no others."""
    assert actions(booking(graph, state)) == expected


@pytest.mark.parametrize(("state", "expected"), [("waiting", ["cancel"]), ("booked", ["cancel"]), ("complete", [])])
def test_what_a_visitor_is_offered(state: str, expected: list[str]) -> None:
    """A visit can be cancelled by link while it is not over."""
    assert actions(visit(state)) == expected


def test_a_link_is_of_one_version() -> None:
    """Each link bears the version of the event that offers it."""
    assert offered(GRAPHS["status"], booking("status", "reserved"), "UTC", NOW) == (Link("cancel", 4, LATER),)


def test_a_link_lives_until_the_booking_ends() -> None:
    """It ends with the booking; one of a booking that is over lives for a day."""
    held = booking("instant", "confirmed")
    assert expiry(held) == expiry(held, LATER - timedelta(microseconds=1)) == LATER
    assert expiry(held, LATER) == LATER + AT_LEAST
    assert expiry(held, LAST) == LAST


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, NOW + AT_LEAST),
        ({"starts_at": "2026-12-24T20:00:00Z"}, LATER),
        ({"starts_at": "2026-12-24T18:00:00Z", "ends_at": "2026-12-24T20:00:00Z"}, LATER),
        ({"date": "2026-12-24T21:00"}, LATER),
        ({"date": "2026-12-24T20:00", "duration": 3600}, LATER),
        ({"date": "2026-12-24T20:00", "duration": 3600, "starts_at": "2026-12-24T18:00:00Z"}, LATER),
        ({"starts_at": "2026-11-24T20:00:00Z"}, NOW + AT_LEAST),
        ({"date": "9999-12-31T23:59", "duration": 86400}, LAST),
    ],
)
def test_a_link_lives_until_the_visit_ends(members: dict[str, Any], expected: datetime) -> None:
    """It ends when the last known time of the visit has come, by the location's clock; without one after a day."""
    assert expiry(visit(**members), timezone="Europe/Oslo" if expected is LATER else "UTC") == expected


def test_a_use_is_of_one_link() -> None:
    """Another action, and the same one of another version, are not used by it."""
    used = Aggregate("booking", "a", "b", 5, {}, with_use({"customer_given": True}, Link("cancel", 4, LATER), NOW))
    assert is_used(used, Link("cancel", 4, LATER))
    assert not is_used(used, Link("cancel", 3, LATER))
    assert not is_used(used, Link("confirm", 4, LATER))
    assert not is_used(Aggregate("booking", "a", "b", 5, {}), Link("cancel", 4, LATER))
    assert used.memo is not None
    assert used.memo["customer_given"] is True


def test_uses_are_forgotten_when_they_do_not_matter_any_more() -> None:
    """A use is kept until its link has been over for a while, so that memory does not grow without bound."""
    first = with_use(None, Link("confirm", 1, LATER), NOW)
    second = with_use(first, Link("cancel", 2, LAST), LATER + MARGIN)
    assert [use[0] for use in second[USED]] == ["confirm", "cancel"]
    third = with_use(second, Link("pay", 3, LAST), LATER + MARGIN + timedelta(microseconds=1))
    assert [use[0] for use in third[USED]] == ["cancel", "pay"]
