from typing import Any

import pytest

from service.domain.local_time import local_instant
from service.domain.model import Reason
from tests.support.builders import location, patch_visit, visit
from tests.support.spec import given


@pytest.mark.parametrize(
    ("minutes", "granularity", "clock", "fine"),
    [
        (15, None, "12:15", True),
        (15, None, "12:10", False),
        (15, "default", "12:10", False),
        (15, "fine", "12:10", True),
        (15, "fine", "12:12", False),
        (15, "fine", "12:15", True),
        (7, None, "00:07", True),
        (7, None, "12:00", False),
        (7, None, "11:54", True),
        (7, "fine", "11:54", False),
        (7, "fine", "12:00", True),
        (1440, None, "00:00", True),
        (1440, None, "12:00", False),
        (720, None, "12:00", True),
        (1, None, "12:59", True),
        (60, None, "23:00", True),
        (None, None, "12:59", True),
        (None, "fine", "12:59", True),
        (None, "default", "12:59", True),
    ],
)
def test_a_date_lies_on_the_grid(minutes: int | None, granularity: str | None, clock: str, fine: bool) -> None:  # noqa: FBT001
    """The grid counts from local midnight; fine is five minutes, and nothing where any time goes."""
    date = f"2030-05-01T{clock}"
    options = {} if granularity is None else {"slot_granularity": granularity}
    zone = location(slot_minutes=minutes, timezone="Asia/Kathmandu")
    created = given(zone).when(visit(date=date, options=options))
    patched = given(zone, visit()).when(patch_visit(date=date, options=options))
    if fine:
        created.then(date=date, state="booked")
        patched.then(date=date, state="waiting")
    else:
        created.then_refused(Reason.INVALID_FIELD, "/visit/date")
        patched.then_refused(Reason.INVALID_FIELD, "/patch/date")


SKIPPED = [
    ("Europe/Oslo", "2030-03-31T01:59", True),
    ("Europe/Oslo", "2030-03-31T02:00", False),
    ("Europe/Oslo", "2030-03-31T02:30", False),
    ("Europe/Oslo", "2030-03-31T02:59", False),
    ("Europe/Oslo", "2030-03-31T03:00", True),
    ("America/New_York", "2030-03-10T02:30", False),
    ("Australia/Lord_Howe", "2030-10-06T02:15", False),
    ("Australia/Lord_Howe", "2030-10-06T02:30", True),
    ("America/Sao_Paulo", "2018-11-04T00:00", False),
    ("Pacific/Apia", "2011-12-30T12:00", False),
    ("UTC", "2030-03-31T02:30", True),
    ("Asia/Tokyo", "2030-03-31T02:30", True),
]


@pytest.mark.parametrize(("zone", "date", "fine"), SKIPPED)
def test_a_date_that_the_clock_skips_is_refused(zone: str, date: str, fine: bool) -> None:  # noqa: FBT001
    """The hour that spring takes away has no instant, neither its first minute nor its last."""
    created = given(location(timezone=zone)).when(visit(date=date))
    patched = given(location(timezone=zone), visit()).when(patch_visit(date=date))
    if fine:
        created.then(date=date)
        patched.then(date=date)
    else:
        created.then_refused(Reason.INVALID_FIELD, "/visit/date")
        patched.then_refused(Reason.INVALID_FIELD, "/patch/date")


@pytest.mark.parametrize(
    ("zone", "date", "instant"),
    [
        ("Europe/Oslo", "2030-10-27T02:00", "2030-10-27T00:00:00+00:00"),
        ("Europe/Oslo", "2030-10-27T02:59", "2030-10-27T00:59:00+00:00"),
        ("Europe/Oslo", "2030-10-27T03:00", "2030-10-27T02:00:00+00:00"),
        ("America/New_York", "2030-11-03T01:30", "2030-11-03T05:30:00+00:00"),
        ("Australia/Lord_Howe", "2030-04-07T01:45", "2030-04-06T14:45:00+00:00"),
        ("Europe/Oslo", "2030-07-01T12:00", "2030-07-01T10:00:00+00:00"),
        ("Asia/Kathmandu", "2030-01-01T05:45", "2030-01-01T00:00:00+00:00"),
    ],
)
def test_a_date_that_the_clock_shows_twice_is_the_first(zone: str, date: str, instant: str) -> None:
    """Of the two instants that autumn gives a local time the earlier one is meant."""
    moment = local_instant(date, zone)
    assert moment is not None
    assert moment.isoformat() == instant


@pytest.mark.parametrize("date", ["0001-01-01T00:00", "9999-12-31T23:59"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC", "Europe/Oslo"])
def test_the_ends_of_the_calendar_break_nothing(zone: str, date: str) -> None:
    """A date beyond what instants can tell is refused where it stands, or taken."""
    members: dict[str, Any] = {"date": date, "duration": 86400, "resource_ids": ["r"]}
    when = given(location(timezone=zone)).when(visit(**members))
    if local_instant(date, zone) is None:
        when.then_refused(Reason.INVALID_FIELD, "/visit/date")
    else:
        when.then(date=date)


def test_the_date_is_on_the_clock_of_the_location() -> None:
    """Two locations with other clocks have the same local time at other instants, and no grid but their own."""
    settings = (location(timezone="Europe/Oslo"), location("tokyo", timezone="Asia/Tokyo", slot_minutes=30))
    world = given(*settings)
    world.when(visit(date="2030-03-31T02:30")).then_refused(Reason.INVALID_FIELD, "/visit/date")
    world.when(visit(at="tokyo", date="2030-03-31T02:30")).then(date="2030-03-31T02:30")


def test_a_date_that_is_not_in_the_patch_is_not_judged_again() -> None:
    """New settings bind new dates."""
    one = given(location(), visit(date="2030-05-01T12:07"), location(slot_minutes=15))
    one.when(patch_visit(party_size=2)).then(version=2, date="2030-05-01T12:07")
