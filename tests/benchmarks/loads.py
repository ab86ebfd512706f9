"""Kinds of load: what is sent, and how many events come of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from schemas import sign
from schemas.message import Message
from tests.benchmarks.systems import Ours
from tests.benchmarks.workload import ACCOUNT, Command, Workload

BOOKINGS = "booking-commands"


@dataclass(frozen=True, slots=True)
class Load:
    """Commands by topic, and the events that come of them by topic; `signed` ones want a service that checks."""

    name: str
    commands: Mapping[str, Sequence[Command]]
    events: Mapping[str, int] = field(default_factory=dict)
    signed: bool = False

    @property
    def count(self) -> int:
        """All commands."""
        return sum(map(len, self.commands.values()))


def loads(system: Ours, count: int) -> Iterator[Load]:
    """Each kind with about so many commands; made when it is asked for, since one builds on the one before."""
    workload = system.workload
    yield _updates("uniform keys", list(workload.updates(count)))
    yield _updates("hot keys (Zipf 1.1)", list(workload.updates(count, skew=1.1)))
    yield _updates("a tenth repeated", list(workload.with_repeats(count, 0.1)))
    refused = list(workload.with_refusals(count, 0.05))
    yield _updates("a twentieth refused", refused, sum(b'"guest_count":0,' in one.value for one in refused))
    visits = list(workload.visits(count))
    yield Load("visits created", {"visit-commands": visits}, {"visit-events": len(visits)})
    day = workload.day(count)
    yield Load("a day of a chain of restaurants", day.commands, day.events)
    yield replace(_updates("signed", _signed(system, workload, count)), signed=True)


def _updates(name: str, commands: Sequence[Command], refused: int = 0) -> Load:
    different = len({command.id for command in commands})
    return Load(name, {BOOKINGS: commands}, {"booking-events": different - refused})


def _signed(system: Ours, workload: Workload, count: int) -> list[Command]:
    added = system.run("client", "add", "bench", "--account", ACCOUNT, "--scopes", "bookings:write", "--json")
    key = json.loads(added)
    return [_sign(command, key["client_id"], key["secret"]) for command in workload.updates(count)]


def _sign(command: Command, client_id: str, secret: str) -> Command:
    message = Message(BOOKINGS, command.key, list(command.headers), command.value)
    return replace(command, headers=sign(message, client_id, secret).headers)
