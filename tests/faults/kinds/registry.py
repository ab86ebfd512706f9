"""Every kind of fault, each made from chance."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Literal, get_args

from tests.faults.kinds.exchanges import At, Interrupted, What
from tests.faults.kinds.fault import Fault
from tests.faults.kinds.kafka import (
    LeadersMoved,
    NodeFrozen,
    NodesKilled,
    RebalanceStorm,
    RollingRestart,
    TooFewInSync,
)
from tests.faults.kinds.machine import ClockJumped, DiskFull
from tests.faults.kinds.network import Network, Trouble
from tests.faults.kinds.postgresql import (
    ConnectionsTaken,
    Deadlocked,
    Serializable,
    ServerDown,
    SessionsEnded,
    TimedOut,
)
from tests.faults.kinds.processes import Frozen, Killed, Restarted
from tests.faults.kinds.senders import BadHabits
from tests.support.small_disk import SmallDisk

Make = Callable[[random.Random], Fault]
Role = Literal["worker", "relay", "clock"]
_EXCHANGES: Final[tuple[tuple[Role, What], ...]] = (("worker", "commit"), ("relay", "delete"), ("relay", "produce"))


def _processes() -> Mapping[str, Make]:
    made: dict[str, Make] = {}
    for role in get_args(Role):
        made[f"{role}-killed"] = lambda chance, role=role: Killed(  # type: ignore[misc]
            f"{role}-killed", role, chance.uniform(0, 3), chance.randrange(9)
        )
        made[f"{role}-frozen"] = lambda chance, role=role: Frozen(  # type: ignore[misc]
            f"{role}-frozen", role, chance.uniform(2, 16), chance.randrange(9)
        )
        made[f"{role}-restarted"] = lambda chance, role=role: Restarted(  # type: ignore[misc]
            f"{role}-restarted", role, 0, chance.randrange(9)
        )
    return made


def _exchanges() -> Mapping[str, Make]:
    made: dict[str, Make] = {}
    for role, what in _EXCHANGES:
        for at in get_args(At):
            for dies in (False, True):
                # The end of a statement is seen by its answer alone, so its request can't be held back.
                if (what == "delete" and at == "request") or (at == "after" and not dies):
                    continue
                kind = f"{what}-{_NAMES[at]}{'-and-death' if dies else ''}"
                made[kind] = partial(_interrupted, kind, role, what, at, dies)
    return made


_NAMES: Final = MappingProxyType({"request": "not-sent", "answer": "not-answered", "after": "answered"})


def _interrupted(kind: str, role: Role, what: What, at: At, dies: bool, chance: random.Random) -> Fault:  # noqa: FBT001
    return Interrupted(kind, role, chance.uniform(0, 1) if dies else 0.0, what, at, dies)


def _network() -> Mapping[str, Make]:
    made: dict[str, Make] = {}
    for trouble in get_args(Trouble):
        made[f"postgresql-{trouble}"] = partial(_to_postgresql, trouble)
        made[f"kafka-{trouble}"] = partial(_to_kafka, trouble)
        made[f"worker-kafka-{trouble}"] = partial(_of_one_worker, trouble)
    return made


def _to_postgresql(trouble: Trouble, chance: random.Random) -> Fault:
    only = chance.choice((None, "worker", "relay", "clock"))
    return Network(f"postgresql-{trouble}", "postgresql", _seconds(trouble, chance), trouble, "postgresql", only)


def _to_kafka(trouble: Trouble, chance: random.Random) -> Fault:
    only = chance.choice((None, 1, 2, 3))
    return Network(f"kafka-{trouble}", "kafka", _seconds(trouble, chance), trouble, "kafka", only)


def _of_one_worker(trouble: Trouble, chance: random.Random) -> Fault:
    only = chance.choice((None, None, 1, 2, 3))
    return Network(f"worker-kafka-{trouble}", "worker", _seconds(trouble, chance), trouble, "apart", only)


def _seconds(trouble: Trouble, chance: random.Random) -> float:
    return 0.0 if trouble == "reset" else chance.uniform(2, 12)


def _postgresql() -> Mapping[str, Make]:
    area: Literal["postgresql"] = "postgresql"
    return {
        "postgresql-killed": lambda c: ServerDown("postgresql-killed", area, c.uniform(0, 3), "killed"),
        "postgresql-restarted": lambda c: ServerDown("postgresql-restarted", area, c.uniform(0, 3), "stopped"),
        "sessions-ended": lambda c: SessionsEnded("sessions-ended", area, c.uniform(1, 4)),
        "connections-taken": lambda c: ConnectionsTaken("connections-taken", area, c.uniform(1, 4)),
        "statement-timeout": lambda c: TimedOut("statement-timeout", area, c.uniform(1, 4), "statement_timeout"),
        "lock-timeout": lambda c: TimedOut("lock-timeout", area, c.uniform(1, 4), "lock_timeout"),
        "deadlock": lambda c: Deadlocked("deadlock", area, 0, c.randint(1, 3)),
        "serialization-failures": lambda c: Serializable("serialization-failures", area, c.uniform(2, 6)),
    }


def _kafka() -> Mapping[str, Make]:
    area: Literal["kafka"] = "kafka"
    return {
        "broker-killed": lambda c: NodesKilled("broker-killed", area, c.uniform(0, 8), (c.randint(1, 3),)),
        "coordinator-killed": lambda c: NodesKilled("coordinator-killed", area, c.uniform(0, 8), "coordinator"),
        "two-brokers-killed": lambda c: NodesKilled(
            "two-brokers-killed", area, c.uniform(0, 8), tuple(c.sample((1, 2, 3), 2))
        ),
        "broker-frozen": lambda c: NodeFrozen("broker-frozen", area, c.uniform(2, 14), c.randint(1, 3)),
        "rolling-restart": lambda _: RollingRestart("rolling-restart", area, 0),
        "leaders-moved": lambda c: LeadersMoved("leaders-moved", area, 0, c.randrange(3)),
        "too-few-in-sync": lambda c: TooFewInSync("too-few-in-sync", area, c.uniform(1, 6), c.randint(1, 3)),
        "rebalance-storm": lambda c: RebalanceStorm("rebalance-storm", area, c.uniform(4, 10)),
    }


def _senders() -> Mapping[str, Make]:
    return {
        "senders-double": lambda c: BadHabits("senders-double", "senders", c.uniform(1, 5), True, False),  # noqa: FBT003
        "senders-shuffle": lambda c: BadHabits("senders-shuffle", "senders", c.uniform(1, 5), False, True),  # noqa: FBT003
    }


def all_kinds() -> Mapping[str, Make]:
    """The makers of faults by kind, in a fixed order: those that need nothing of the machine."""
    return {**_processes(), **_exchanges(), **_network(), **_postgresql(), **_kafka(), **_senders()}


def clock_kinds() -> Mapping[str, Make]:
    """Those of processes with clocks of their own."""
    return {
        f"{role}-clock-jumped": lambda chance, role=role: ClockJumped(  # type: ignore[misc]
            f"{role}-clock-jumped", role, chance.uniform(2, 6), chance.choice((-86_400, -3600, -60, 60, 3600, 86_400))
        )
        for role in get_args(Role)
    }


def disk_kinds(disk: SmallDisk) -> Mapping[str, Make]:
    """Those of a server whose disk can be filled."""
    return {"disk-full": lambda chance: DiskFull("disk-full", "postgresql", chance.uniform(0, 3), disk)}
