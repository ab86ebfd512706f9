"""Seeded commands of two accounts that share ids: aggregates alone and in groups, timers, repeats, stray records."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tests.e2e.broker import Sent, headers, record_of
from tests.e2e.model import Command
from tests.e2e.workload import LOCATION, Thing, Workload, thing
from tests.faults.stories import STORIES, Teller

ACCOUNTS = ("acc-north", "acc-south")
# A reply to nearly every command: what is not answered can't be judged as well.
_REPLY = 0.8
_MEMBERS = 4
_TOLD_AT_A_TIME = 40
_SENT_AGAIN = 0.05
_LONG_AGO, _IN_AN_AGE = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
_SOON = timedelta(seconds=1)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Mix:
    """How many aggregates of each sort live at a time in an account, and for how many of its commands."""

    single: int = 120
    timed: int = 60
    groups: int = 15
    commands: int = 8_000
    strays: float = 0.01
    ticks: float = 0.05
    stories: float = 0.25


def _now() -> datetime:
    return datetime.now(UTC)


def traffic(seed: int, mix: Mix | None = None, clock: Clock = _now) -> Iterator[Sent]:
    """Records without end; the same for the same seed, but for what expires soon by the clock."""
    mix, chance = mix or Mix(), random.Random(seed)  # noqa: S311
    streams = [_commands(account, seed * 2 + number, mix) for number, account in enumerate(ACCOUNTS)]
    told = _told(random.Random(seed + 1), clock)  # noqa: S311
    count = 0
    while True:
        yield next(told if chance.random() < mix.stories else chance.choice(streams))
        if chance.random() < mix.strays:
            count += 1
            yield _stray(chance, count)
        if chance.random() < mix.ticks:
            count += 1
            yield _tick(chance.choice(ACCOUNTS), count)


def _told(chance: random.Random, clock: Clock) -> Iterator[Sent]:
    """Stories without end, many at a time; now and then a record is sent again."""
    telling: list[tuple[str, Iterator[Command]]] = []
    count: Counter[tuple[str, str]] = Counter()
    while True:
        if len(telling) < _TOLD_AT_A_TIME:
            account, kind = chance.choice(ACCOUNTS), chance.choice(list(STORIES))
            count[account, kind] += 1
            teller = Teller(account, f"{kind}-{count[account, kind]}", chance)
            telling.append((kind, teller.rehearsed(STORIES[kind](teller))))
        place = chance.randrange(len(telling))
        kind, story = telling[place]
        command = next(story, None)
        if command is None:
            telling.pop(place)
            continue
        record = record_of(command)
        if kind == "d":
            record = _expiring(record, chance, clock)
        yield record
        if chance.random() < _SENT_AGAIN:
            yield record


def _expiring(record: Sent, chance: random.Random, clock: Clock) -> Sent:
    """Gives a record an expiry: long ago, very soon, or in an age."""
    times = (_LONG_AGO, (clock() + _SOON).isoformat(timespec="seconds"), _IN_AN_AGE)
    expiry = chance.choices(times, (1, 2, 2))[0]
    return replace(record, headers=[*record.headers, ("ce_expirytime", expiry.encode())])


def _tick(account: str, count: int) -> Sent:
    """A booking whose end passed long ago: its timer fires at once, so that there is always one on the way."""
    name = f"tick-{count}"
    times = {"starts_at": "2026-01-02T18:00:00Z", "ends_at": "2026-01-02T20:00:00Z", "notes": name}
    data = {"account_id": account, "booking_id": name, "location_id": LOCATION, "graph": "instant", "booking": times}
    return record_of(Command(name, "create-booking", "booking", name, data, reply=True))


def _commands(account: str, seed: int, mix: Mix) -> Iterator[Sent]:
    generation = 0
    while True:
        # Both accounts use the same ids of aggregates and groups.
        living = Workload(
            account, mix.commands, _things(generation, mix), seed + 1_000_003 * generation, f"c-{generation}", _REPLY
        )
        yield from map(record_of, living)
        generation += 1


def _things(generation: int, mix: Mix) -> list[Thing]:
    stem = f"{generation}"
    single = [thing(number, f"{stem}-{number}") for number in range(mix.single)]
    timed = [
        Thing("booking", f"t-{stem}-{number}", ("instant", "confirm_decline")[number % 2], over=True)
        for number in range(mix.timed)
    ]
    members = [
        Thing("booking", f"m-{stem}-{group}-{number}", graph, internal=internal, bulk_id=f"g-{stem}-{group}")
        for group in range(mix.groups)
        for graph, internal in [(("venue", True), ("venue", False), ("confirm_decline", False))[group % 3]]
        for number in range(_MEMBERS)
    ]
    return single + timed + members


def _stray(chance: random.Random, count: int) -> Sent:
    topic = chance.choice(("booking-commands", "visit-commands"))
    key = f"stray-{count}".encode()
    match chance.randrange(3):
        case 0:
            return Sent(topic, key, b"no JSON", headers(f"s-{count}", "update-booking"))
        case 1:
            return Sent(topic, key, b'{"account_id": "acc-north"}', headers(f"s-{count}", "dance"))
        case _:
            return Sent(topic, key, b"[]", [("trace", b"\xff\xfe")])
