"""Stories of a few aggregates that meet: owners and seats, rivals for a version, guests, places, deadlines, links.

Each gives its commands in the order in which they are sent; many are told at a time, so that others come in between.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.e2e.model import Command, Kind
from tests.e2e.workload import LOCATION
from tests.faults.model_state import STRICT

_REPLY = 0.8
_REHEARSED = 0.12
_FAR = {"starts_at": "2099-12-24T18:00:00Z", "ends_at": "2099-12-24T20:00:00Z"}
_OVER = {"starts_at": "2026-01-02T18:00:00Z", "ends_at": "2026-01-02T20:00:00Z"}
LINKED = "l-"

Channel = Literal["internal", "external"]
CHANNELS: tuple[Channel, ...] = ("internal", "external")


@dataclass(slots=True)
class Teller:
    """Makes the commands of one story; `name` begins all its ids."""

    account: str
    name: str
    chance: random.Random
    _count: int = 0

    def say(self, kind: Kind, aggregate_id: str, command: str, channel: Channel | None = None, **data: Any) -> Command:
        """One command, on a channel by chance where none is given."""
        self._count += 1
        whole = {"account_id": self.account, f"{kind}_id": aggregate_id, **data}
        internal = self.chance.random() < 0.3 if channel is None else channel == "internal"
        reply = self.chance.random() < _REPLY
        return Command(f"{self.name}-{self._count}", command, kind, aggregate_id, whole, internal, reply)

    def act(self, booking_id: str, action: str, **data: Any) -> Command:
        """An action on a booking."""
        return self.say("booking", booking_id, "state-action", action=action, **data)

    def note(self, booking_id: str, channel: Channel | None = None, **data: Any) -> Command:
        """A change that no other makes."""
        patch = {"notes": f"{self.name} {self._count}"}
        return self.say("booking", booking_id, "update-booking", channel, patch=patch, **data)

    def create(self, booking_id: str, graph: str, location: str = LOCATION, **data: Any) -> Command:
        """A booking."""
        booking = {**_FAR, "notes": self.name, **data.pop("booking", {})}
        return self.say(
            "booking", booking_id, "create-booking", location_id=location, graph=graph, booking=booking, **data
        )

    def rehearsed(self, commands: Iterator[Command]) -> Iterator[Command]:
        """Some of the commands are tried first, in a dry run."""
        for command in commands:
            if self.chance.random() < _REHEARSED and "link" not in command.data:
                data = {**command.data, "validate_only": True}
                yield replace(command, id=f"{command.id}-dry", data=data, reply=True)
            yield command


def owner_and_seats(tell: Teller) -> Iterator[Command]:
    """A session and bookings of seats in it, some before there is a session, some after it was cancelled."""
    owner, chance = tell.name, tell.chance
    times = _OVER if chance.random() < 0.3 else _FAR
    seats = [f"{owner}-{number}" for number in range(5)]
    graphs = {seat: chance.choice(("group_customer", "group_customer_payment")) for seat in seats}

    def take(seat: str) -> Command:
        return tell.create(seat, graphs[seat], owner_booking_id=owner, booking=times)

    if chance.random() < 0.2:
        yield take(seats[0])
    yield tell.create(owner, "group_owner", booking=times)
    for seat in seats[:4]:
        yield take(seat)
    ending = tell.act(owner, chance.choice(("cancel", "cancel", "cancel", "complete")))
    for number in range(14):
        if number == 9:
            yield ending
            yield take(seats[4])
        yield _with_a_seat(tell, chance.choice((*seats[:4], owner)))


def _with_a_seat(tell: Teller, booking_id: str) -> Command:
    match tell.chance.randrange(5):
        case 0:
            return tell.note(booking_id)
        case 1:
            return tell.act(booking_id, "pay", inputs={"payment_id": "p-1"})
        case 2:
            return tell.act(booking_id, "cancel_by_customer")
        case _:
            return tell.note(booking_id, expected_version=tell.chance.randint(1, 3))


def rivals(tell: Teller) -> Iterator[Command]:
    """Two senders on two channels who both have seen the same version: one of them wins."""
    booking_id = tell.name
    yield tell.create(booking_id, "instant")
    for version in range(1, 7):
        for channel in tell.chance.sample(CHANNELS, 2):
            yield tell.note(booking_id, channel, expected_version=version)
    yield tell.act(booking_id, "cancel", expected_version=7)
    yield tell.act(booking_id, "cancel_by_customer", expected_version=7)


def guest(tell: Teller) -> Iterator[Command]:
    """More visits of one customer than the location allows at a time; room is made, and taken again."""
    visits = [f"{tell.name}-{number}" for number in range(5)]

    def come(visit: str) -> Command:
        options = {"public_mode": True} if tell.chance.random() < 0.8 else {}
        said = {"source": "door"}
        return tell.say(
            "visit", visit, "create-visit", location_id=STRICT, customer_id=tell.name, visit=said, options=options
        )

    for visit in visits[:3]:
        yield come(visit)
    for _ in range(10):
        visit = tell.chance.choice(visits)
        if tell.chance.random() < 0.5:
            yield come(visit)
        else:
            action = tell.chance.choice(("serve", "complete", "complete", "restore"))
            yield tell.say("visit", visit, "state-action", action=action)


def place(tell: Teller) -> Iterator[Command]:
    """A resource that several bookings want for the same two hours."""
    bookings = [f"{tell.name}-{number}" for number in range(5)]
    hours = {name: tell.chance.choice(("18", "20")) for name in bookings}

    def want(name: str) -> Command:
        times = {"starts_at": f"2099-12-24T{hours[name]}:00:00Z", "ends_at": f"2099-12-24T{hours[name]}:59:00Z"}
        return tell.create(name, "instant", STRICT, booking={**times, "resource_id": tell.name})

    for name in bookings:
        yield want(name)
    for _ in range(8):
        name = tell.chance.choice(bookings)
        yield want(name) if tell.chance.random() < 0.5 else tell.act(name, "cancel")


def deadlines(tell: Teller) -> Iterator[Command]:
    """A booking whose commands are about to expire; when they do is for whoever sends them to say."""
    yield tell.create(tell.name, "confirm_decline")
    for _ in range(6):
        yield tell.note(tell.name)
    yield tell.act(tell.name, "confirm")
    yield tell.act(tell.name, "cancel")


def linked(tell: Teller) -> Iterator[Command]:
    """A booking whose events offer links, which guests take up meanwhile."""
    booking_id = LINKED + tell.name
    yield tell.create(booking_id, tell.chance.choice(("instant", "confirm_decline")), STRICT)
    for _ in range(5):
        yield tell.note(booking_id)


STORIES: Mapping[str, Callable[[Teller], Iterator[Command]]] = {
    "o": owner_and_seats,
    "r": rivals,
    "g": guest,
    "p": place,
    "d": deadlines,
    "k": linked,
}
