"""Seeded commands of two accounts that share ids: aggregates alone and in groups, timers, repeats, stray records."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.e2e.broker import Sent, headers, record_of
from tests.e2e.model import Command
from tests.e2e.workload import LOCATION, Thing, Workload, thing

ACCOUNTS = ("acc-north", "acc-south")
# A reply to nearly every command: what is not answered can't be judged as well.
_REPLY = 0.8
_MEMBERS = 4


@dataclass(frozen=True, slots=True)
class Mix:
    """How many aggregates of each sort live at a time in an account, and for how many of its commands."""

    single: int = 120
    timed: int = 60
    groups: int = 15
    commands: int = 8_000
    strays: float = 0.01
    ticks: float = 0.05


def traffic(seed: int, mix: Mix | None = None) -> Iterator[Sent]:
    """Records without end; the same for the same seed."""
    mix, chance = mix or Mix(), random.Random(seed)  # noqa: S311
    streams = [_commands(account, seed * 2 + number, mix) for number, account in enumerate(ACCOUNTS)]
    count = 0
    while True:
        yield next(chance.choice(streams))
        if chance.random() < mix.strays:
            count += 1
            yield _stray(chance, count)
        if chance.random() < mix.ticks:
            count += 1
            yield _tick(chance.choice(ACCOUNTS), count)


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
