"""One fault from its beginning until the service has overcome it, with the time that took."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from aiokafka.errors import KafkaError

from tests.faults.evidence import Lane
from tests.faults.kinds.fault import Fault
from tests.faults.ledger import progress
from tests.faults.stage import Stage
from tests.support.wait import until

RECOVERY_SECONDS = 90.0
_POLL = 0.1
_NOT = " did not come about"


@dataclass(frozen=True, slots=True)
class Trial:
    """Moments are seconds since the run began; the rest is seconds.

    `first` until the first event after the fault was over, `timer` until the first command of a timer, `caught_up`
    until all that lay on the topics when it was over had been consumed; None where that did not happen in time.
    `silence` is the longest time without an event from the beginning on.
    """

    kind: str
    told: str
    area: str
    begin: float
    over: float
    first: float | None
    timer: float | None
    caught_up: float | None
    silence: float
    together: bool = False

    @property
    def came_about(self) -> bool:
        """Whether there was a fault at all."""
        return _NOT not in self.told


async def run(stage: Stage, faults: Sequence[Fault], epoch: float) -> list[Trial]:
    """Lets faults happen, several at a time together, and waits until the service goes on; a stall is only told."""
    return list(await asyncio.gather(*(_run(stage, fault, epoch, together=len(faults) > 1) for fault in faults)))


async def _run(stage: Stage, fault: Fault, epoch: float, *, together: bool) -> Trial:
    begin = time.monotonic()
    told = fault.told()
    try:
        await fault.inject(stage)
        await fault.last()
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError) as error:
        # Another fault may have taken away what this one needs; alone it may have waited for nothing.
        told += f"{_NOT}: {error!r}"
    finally:
        await fault.heal(stage)
    over = time.monotonic()
    ends = stage.witness.command_ends()
    waits = (_first(stage.witness.events.first_after, over), _first(stage.witness.timers.first_after, over))
    first, timer, caught_up = await asyncio.gather(*waits, _caught_up(stage, ends, over))
    silence = stage.witness.events.longest_silence(begin, time.monotonic())
    return Trial(fault.kind, told, fault.area, begin - epoch, over - epoch, first, timer, caught_up, silence, together)


async def _first(after: Callable[[float], float | None], over: float) -> float | None:
    try:
        moment = await until(lambda: after(over), RECOVERY_SECONDS)
    except TimeoutError:
        return None
    return None if moment is None else moment - over


async def _caught_up(stage: Stage, ends: Mapping[Lane, int], over: float) -> float | None:
    while time.monotonic() - over < RECOVERY_SECONDS:
        try:
            connection = await stage.connect()
            try:
                while time.monotonic() - over < RECOVERY_SECONDS:
                    moved = await progress(connection)
                    if all(moved.get(lane, 0) >= end for lane, end in ends.items()):
                        return time.monotonic() - over
                    await asyncio.sleep(_POLL)
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError):
            # Another fault has taken PostgreSQL away meanwhile.
            await asyncio.sleep(_POLL)
    return None
