"""Seeded commands over several hundred bookings and visits: changes, moves, mistakes, and one in ten sent again."""

import random
from collections.abc import Iterator
from typing import Any

from tests.e2e.model import ACTIONS, COUNT, TEXT, Command, Kind

LOCATION = "oslo"
SOURCE = "//judge.example/pos"
DUPLICATES = 0.1
_LATEST_REPEAT = 300
_TAGS = ("vip", "late", "window", "birthday", "pram")
_WORDS = ("table", "quiet", "nuts", "blåbær", "窓側", "🎂", "wine", "stairs")
_TIMES = {"starts_at": "2099-12-24T18:00:00+01:00", "ends_at": "2099-12-24T20:00:00+01:00"}


class Workload:
    """Makes the same records for the same seed; `commands` counts the repeats too."""

    def __init__(self, account: str, commands: int, aggregates: int, seed: int) -> None:
        self._account = account
        self._left = commands
        self._random = random.Random(seed)  # noqa: S311
        self._things = [_thing(number) for number in range(aggregates)]
        self._count = 0
        self._made: set[str] = set()

    def __iter__(self) -> Iterator[Command]:
        """Yields every record in the order in which it is to be sent."""
        pending: list[tuple[int, Command]] = []
        position = 0
        while position < self._left:
            due = next((item for item in pending if item[0] <= position), None)
            if due is not None:
                pending.remove(due)
                yield due[1]
            else:
                command = self._command()
                if self._random.random() < DUPLICATES / (1 - DUPLICATES):
                    repeat = self._random.choice((1, 2, 20, _LATEST_REPEAT))
                    pending.append((position + repeat, self._again(command)))
                yield command
            position += 1

    def _again(self, command: Command) -> Command:
        """The same command, its members in another order, and perhaps with another wish for an answer."""
        shuffled = dict(reversed(list(command.data.items())))
        reply = command.reply or self._random.random() < DUPLICATES
        return Command(command.id, command.type, command.kind, command.aggregate_id, shuffled, command.internal, reply)

    def _command(self) -> Command:
        self._count += 1
        kind, aggregate_id, graph, internal = self._random.choice(self._things)
        early = self._random.random() < 0.01
        if aggregate_id not in self._made and not early:
            self._made.add(aggregate_id)
            name, data = f"create-{kind}", self._creation(kind, graph)
        else:
            name, data = self._change(kind, graph)
        whole = {"account_id": self._account, f"{kind}_id": aggregate_id, **data}
        command_id = f"c-{self._count:07}-{self._random.getrandbits(32):08x}"
        return Command(command_id, name, kind, aggregate_id, whole, internal, self._random.random() < 0.2)

    def _creation(self, kind: Kind, graph: str) -> dict[str, Any]:
        if kind == "visit":
            return {"location_id": LOCATION, "customer_id": "c-1", "visit": {TEXT[kind]: self._text()}}
        return {"location_id": LOCATION, "graph": graph, "booking": {**_TIMES, TEXT[kind]: self._text()}}

    def _change(self, kind: Kind, graph: str) -> tuple[str, dict[str, Any]]:
        update = f"update-{kind}"
        match self._random.choices(range(7), (40, 15, 15, 15, 5, 5, 5))[0]:
            case 0:
                return update, {"patch": {TEXT[kind]: self._text(), COUNT[kind]: self._random.randint(1, 100)}}
            case 1:
                return update, {"patch": {COUNT[kind]: self._random.randint(1, 2)}}
            case 2:
                return update, {"patch": {self._random.choice(("add_tags", "remove_tags")): [self._tag()]}}
            case 3:
                return "state-action", {"action": self._random.choice(ACTIONS[graph])}
            case 4:
                return update, {"patch": {COUNT[kind]: 0, TEXT[kind]: self._text()}}
            case 5:
                version = self._random.randint(1, 10)
                return update, {"patch": {TEXT[kind]: self._text()}, "expected_version": version}
            case _:
                if self._random.random() < 0.5:
                    return "state-action", {"action": "fly_away"}
                return f"create-{kind}", self._creation(kind, graph)

    def _tag(self) -> str:
        return self._random.choice(_TAGS)

    def _text(self) -> str:
        return " ".join(self._random.choices(_WORDS, k=4))


def _thing(number: int) -> tuple[Kind, str, str, bool]:
    """Kind, id, graph and whether it lives on the internal channel: between two channels there is no order."""
    match number % 5:
        case 0:
            return "visit", f"v-{number}", "waitlist", False
        case 1:
            return "booking", f"b-{number}", "confirm_decline", False
        case 2:
            return "booking", f"b-{number}", "instant", False
        case 3:
            return "booking", f"b-{number}", "venue", True
        case _:
            return "booking", f"b-{number}", "venue", False
