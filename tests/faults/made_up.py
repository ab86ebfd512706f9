"""Evidence made up by hand, as a sound service would have left it."""

from collections.abc import Sequence
from typing import Any

from tests.e2e.model import Command, Identity
from tests.faults.checker import Checker
from tests.faults.evidence import Asked, Event, Evidence, Lane, Result, Said

NORTH, SOUTH = "acc-north", "acc-south"
COMMANDS: Lane = ("booking-commands", 0)
OTHERS: Lane = ("booking-commands", 1)
TIMERS: Lane = ("internal-commands", 0)
EVENTS: Lane = ("booking-events", 0)
FAR = {"starts_at": "2099-01-01T12:00:00Z", "ends_at": "2099-01-01T13:00:00Z"}
Records = list[Evidence]


def asked(offset: int, name: str, kind: str, lane: Lane = COMMANDS, **more: Any) -> Asked:
    """A command on a booking."""
    data = {"booking_id": "b-1", **more}
    command = Command(
        name, kind, "booking", data.pop("of", data["booking_id"]), data, lane == TIMERS, reply=lane != TIMERS
    )
    return Asked(NORTH, command, lane, offset, lane == TIMERS)


def create(offset: int, name: str, booking: str = "b-1", graph: str = "confirm_decline", **more: Any) -> Asked:
    """A booking."""
    return asked(offset, name, "create-booking", booking_id=booking, graph=graph, booking={**FAR, "notes": "x"}, **more)


def event(offset: int, cause: str, version: int, booking: str = "b-1", **members: Any) -> Event:
    """A change of a booking, `members` of its snapshot included."""
    identity: Identity = ("booking", booking)
    snapshot = {"notes": "x", "guest_count": 1, "tags": [], "state": "tentative", **members}
    name, sequence = f"{booking}-{version}-{cause}", f"{version:020}"
    return Event(
        lane=EVENTS,
        offset=offset,
        account=NORTH,
        identity=identity,
        version=version,
        sequence=sequence,
        id=name,
        command=(NORTH, cause),
        snapshot=snapshot,
        state=snapshot,
        replicated_from=None,
        keyed=True,
        timestamp=offset,
        digest=name.encode(),
    )


def result(cause: str, **said: Any) -> Result:
    """An answer."""
    return Result(f"r-{cause}", (NORTH, cause), Said(**said), 0, repr(said).encode())


def judged(records: Sequence[Evidence], most_repeated: int | None = None, *, signing: bool = False) -> list[str]:
    """What the checker finds wrong."""
    checker = Checker(signing=signing)
    for record in records:
        checker.take(record)
    return checker.judge(most_repeated=most_repeated).wrong
