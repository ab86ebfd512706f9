"""Seeded commands over several hundred bookings and visits: changes, moves, mistakes, and one in ten sent again."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.model import ACTIONS, COUNT, TEXT, Command, Kind

LOCATION = "oslo"
SOURCE = "//judge.example/pos"
DUPLICATES = 0.1
_LATEST_REPEAT = 300
_TAGS = ("vip", "late", "window", "birthday", "pram")
_WORDS = ("table", "quiet", "nuts", "blåbær", "窓側", "🎂", "wine", "stairs")
# Over long ago: what plays by itself after the end does so at once.
_OVER = {"starts_at": "2026-01-02T18:00:00Z", "ends_at": "2026-01-02T20:00:00Z"}
_TIMES = {"starts_at": "2099-12-24T18:00:00+01:00", "ends_at": "2099-12-24T20:00:00+01:00"}


@dataclass(frozen=True, slots=True)
class Thing:
    """An aggregate to be made; it lives on one channel, since between two there is no order."""

    kind: Kind
    id: str
    graph: str
    internal: bool = False
    bulk_id: str | None = None
    over: bool = False


class Workload:
    """Makes the same records for the same seed; `commands` counts the repeats too."""

    def __init__(
        self, account: str, commands: int, things: Sequence[Thing], seed: int, stem: str = "c", reply: float = 0.2
    ) -> None:
        """`stem` begins the ids of commands; so many of them ask for a reply."""
        self._account = account
        self._left = commands
        self._random = random.Random(seed)  # noqa: S311
        self._things = things
        self._stem = stem
        self._reply = reply
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
        thing = self._random.choice(self._things)
        early = self._random.random() < 0.01
        if thing.id not in self._made and not early:
            self._made.add(thing.id)
            name, data = f"create-{thing.kind}", self._creation(thing)
        else:
            name, data = self._change(thing)
        whole = {"account_id": self._account, f"{thing.kind}_id": thing.id, **data}
        command_id = f"{self._stem}-{self._count:07}"
        reply = self._random.random() < self._reply
        return Command(command_id, name, thing.kind, thing.id, whole, thing.internal, reply)

    def _creation(self, thing: Thing) -> dict[str, Any]:
        text = {TEXT[thing.kind]: self._text()}
        if thing.kind == "visit":
            return {"location_id": LOCATION, "customer_id": "c-1", "visit": text}
        group = {} if thing.bulk_id is None else {"bulk_id": thing.bulk_id}
        times = _OVER if thing.over else _TIMES
        return {"location_id": LOCATION, "graph": thing.graph, "booking": {**times, **text}, **group}

    def _change(self, thing: Thing) -> tuple[str, dict[str, Any]]:
        kind, graph = thing.kind, thing.graph
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
                return f"create-{kind}", self._creation(thing)

    def _tag(self) -> str:
        return self._random.choice(_TAGS)

    def _text(self) -> str:
        return " ".join(self._random.choices(_WORDS, k=4))


def things(count: int) -> list[Thing]:
    """So many aggregates of every kind, each alone."""
    return [thing(number, str(number)) for number in range(count)]


def thing(number: int, name: str) -> Thing:
    """The kinds of aggregates in turn, by number; its id ends with the name."""
    match number % 5:
        case 0:
            return Thing("visit", f"v-{name}", "waitlist")
        case 1:
            return Thing("booking", f"b-{name}", "confirm_decline")
        case 2:
            return Thing("booking", f"b-{name}", "instant")
        case 3:
            return Thing("booking", f"b-{name}", "venue", internal=True)
        case _:
            return Thing("booking", f"b-{name}", "venue")
