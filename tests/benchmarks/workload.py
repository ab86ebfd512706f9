"""What both systems are given: locations, bookings, and commands that change five members of a booking."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import orjson

ACCOUNT = "acc-1"
SOURCE = "//benchmark.example/pos"
LOCATIONS = 20
FIELDS = 5
SMALLEST, LARGEST = 300, 400
_WORDS = ("window", "table", "quiet", "terrace", "birthday", "vegan", "pram", "late", "dog", "wine", "nuts", "stairs")


@dataclass(frozen=True, slots=True)
class Command:
    """A record to produce; its topic follows from who it is for."""

    id: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Day:
    """Commands by topic, and how many events come of them by topic."""

    commands: dict[str, list[Command]]
    events: dict[str, int]


class Workload:
    """Makes the same commands for the same seed and order of calls."""

    def __init__(self, bookings: int, seed: int) -> None:
        """Prepare commands on so many bookings."""
        self._random = random.Random(seed)  # noqa: S311
        self._changes = [0] * bookings
        self._opening = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=60)

    def locations(self) -> Iterator[Command]:
        """Configure the locations; these belong on the internal channel."""
        for number in range(LOCATIONS):
            location_id = _location(number)
            settings = {"timezone": "Europe/Oslo", "default_graph": "venue"}
            data = {"account_id": ACCOUNT, "location_id": location_id, "settings": settings}
            yield self._command("configure-location", location_id, data)

    def creations(self) -> Iterator[Command]:
        """Create the bookings."""
        for number in range(len(self._changes)):
            yield self._creation(_booking(number), number)

    def stored(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The same bookings as a table would hold them, by their ids."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        for number in range(len(self._changes)):
            own = {"location_id": _location(number), "state": "registered", "graph": "venue", "updated_at": now}
            yield _booking(number), {**self._members(number), **own}

    def updates(self, count: int, *, skew: float = 0.0) -> Iterator[Command]:
        """Change five members of bookings chosen uniformly, or by Zipf's law; each of them is a real change."""
        everybody = range(len(self._changes))
        weights = list(accumulate((each + 1) ** -skew for each in everybody))
        for number in self._random.choices(everybody, cum_weights=weights, k=count):
            self._changes[number] += 1
            change = self._changes[number]
            booking_id = _booking(number)
            patch = {
                "notes": f"{change}: {self._text(120)}",
                "comment": f"{change}: {self._text(40)}",
                "guest_count": 1 + change % 10_000,
                "price": f"{100 + change}.50",
                "ext_reference_number": f"r-{change:08}-{number:08}",
            }
            data = {"account_id": ACCOUNT, "booking_id": booking_id, "patch": patch}
            command = self._command("update-booking", booking_id, data)
            assert SMALLEST <= len(command.value) <= LARGEST, len(command.value)
            yield command

    def with_repeats(self, count: int, share: float) -> Iterator[Command]:
        """So many updates, a share of which repeats an earlier one."""
        fresh = list(self.updates(count - int(count * share)))
        repeats = self._random.choices(fresh, k=int(count * share))
        yield from fresh
        yield from repeats

    def with_refusals(self, count: int, share: float) -> Iterator[Command]:
        """So many updates, a share of which asks for no guests at all, which is refused."""
        every = round(1 / share)
        for place, command in enumerate(self.updates(count)):
            if place % every:
                yield command
            else:
                data = orjson.loads(command.value)
                data["patch"]["guest_count"] = 0
                yield replace(command, value=orjson.dumps(data))

    def groups(self, count: int, size: int, name: str) -> Iterator[tuple[list[Command], Command]]:
        """Groups of bookings: their creations, and the action on one of each that all others follow."""
        for group in range(count):
            ids = [f"{name}-{group:04}-{number:04}" for number in range(size)]
            made = {"account_id": ACCOUNT, "location_id": _location(group), "graph": "venue", "bulk_id": ids[0]}
            creations = [
                self._command("create-booking", each, {**made, "booking_id": each, "booking": self._members(number)})
                for number, each in enumerate(ids)
            ]
            action = {"account_id": ACCOUNT, "booking_id": ids[0], "action": "confirm"}
            yield creations, self._command("state-action", ids[0], action)

    def visits(self, count: int) -> Iterator[Command]:
        """Register guests who wait."""
        for number in range(count):
            visit_id = f"v-{self._random.getrandbits(64):016x}"
            visit = {"name": f"Guest {number}", "phone": f"+47900{number % 100_000:05}", "party_size": 1 + number % 6}
            data = {"account_id": ACCOUNT, "visit_id": visit_id, "location_id": _location(number), "visit": visit}
            yield self._command("create-visit", visit_id, data)

    def day(self, count: int) -> "Day":
        """Roughly so many commands as a chain of restaurants sends them: new guests and changes, in turn."""
        names = [f"d-{self._random.getrandbits(48):012x}" for _ in range(count * 3 // 10)]
        fresh = [self._creation(name, number) for number, name in enumerate(names)]
        updates = list(self.updates(count * 35 // 100))
        actions = [
            self._command("state-action", name, {"account_id": ACCOUNT, "booking_id": name, "action": "confirm"})
            for name in names[::3]
        ]
        repeats = self._random.choices(updates, k=count // 50)
        guests = list(self.visits(count * 15 // 100))
        seated = [self._seating(guest.key.decode(), place) for place, guest in enumerate(guests) if place % 2]
        bookings = [*self._mixed(fresh, updates), *self._mixed(actions, repeats)]
        events = {
            "booking-events": len(fresh) + len(updates) + len(actions),
            "visit-events": len(guests) + len(seated),
        }
        return Day({"booking-commands": bookings, "visit-commands": [*guests, *seated]}, events)

    def _mixed(self, *kinds: list[Command]) -> list[Command]:
        every = [command for kind in kinds for command in kind]
        self._random.shuffle(every)
        return every

    def _seating(self, visit_id: str, number: int) -> Command:
        patch = {"party_size": 7 + number % 3, "first_name": f"Guest {number}"}
        return self._command("update-visit", visit_id, {"account_id": ACCOUNT, "visit_id": visit_id, "patch": patch})

    def _creation(self, booking_id: str, number: int) -> Command:
        data = {
            "account_id": ACCOUNT,
            "booking_id": booking_id,
            "location_id": _location(number),
            "graph": "venue",
            "booking": self._members(number),
        }
        return self._command("create-booking", booking_id, data)

    def _members(self, number: int) -> dict[str, Any]:
        starts_at = self._opening + timedelta(minutes=15 * (number % 40), days=number // 400 % 200)
        return {
            "starts_at": starts_at.isoformat().replace("+00:00", "Z"),
            "ends_at": (starts_at + timedelta(hours=2)).isoformat().replace("+00:00", "Z"),
            "service_id": "s-1",
            "customer_id": f"c-{number}",
            "resource_id": f"t-{number}",
            "price": "100.50",
            "notes": "as always",
            "guest": {"first_name": "John", "last_name": "Doe", "phone": "+4790090090", "email": "john@doe.example"},
            "guest_count": 1,
            "ext_properties": {"channel": "web"},
            "scenario_name": "Dinner",
            "tags": ["vip"],
        }

    def _text(self, length: int) -> str:
        return " ".join(self._random.choices(_WORDS, k=length // 4))[:length].strip()

    def _command(self, kind: str, key: str, data: dict[str, Any]) -> Command:
        command_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        headers = {
            "ce_specversion": "1.0",
            "ce_id": command_id,
            "ce_source": SOURCE,
            "ce_type": kind,
            "content-type": "application/json",
        }
        encoded = [(name, value.encode()) for name, value in headers.items()]
        return Command(command_id, key.encode(), orjson.dumps(data), encoded)


def _location(number: int) -> str:
    return f"location-{number % LOCATIONS:02}"


def _booking(number: int) -> str:
    return f"b-{number:07}"
