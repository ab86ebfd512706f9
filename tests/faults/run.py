"""A run: traffic, faults from a schedule, and the verdict when everything has come to rest."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psutil

from tests.faults import ledger, trial
from tests.faults.kinds.fault import Fault
from tests.faults.report import Report, Sample
from tests.faults.stage import Stage
from tests.support.wait import until

SETTLE_SECONDS = 120.0
_SAMPLE_SECONDS = 1.0
_PAUSE_SECONDS = 0.5

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Whatever is reached first ends the faults; traffic with a last record goes on to that."""

    seconds: float = float("inf")
    faults: int | None = None
    records: int | None = None


async def run(
    stage: Stage,
    faults: Iterable[Sequence[Fault]],
    limits: Limits,
    seed: int,
    most_repeated: int | None = None,
    tell: Tell = lambda _: None,
) -> Report:
    """Plays a schedule and judges."""
    report, epoch = Report(seed), time.monotonic()
    stage.sender.start(limits.records)
    with _sampling(stage, report, epoch, tell):
        try:
            await _strike(stage, faults, limits, report, epoch, tell)
        except Exception as error:  # noqa: BLE001  whatever it is, the verdict on what went before is wanted
            report.wrong.append(f"cut short after {len(report.trials)} faults: {error!r}")
        stage.sender.share = None
        if limits.records is None:
            await stage.sender.stop()
        await stage.sender.finished()
    await _settle(stage, report)
    # Timers go on coming due; those from here on are left alone, so that nothing moves while all is compared.
    rested = await stage.stop_clocks()
    await _settle(stage, report, rested)
    report.seconds = time.monotonic() - epoch
    tell(f"at rest after {report.seconds:.0f} s, judging")
    await judge(stage, report, most_repeated, rested, tell)
    gc.unfreeze()
    return report


async def _strike(
    stage: Stage, faults: Iterable[Sequence[Fault]], limits: Limits, report: Report, epoch: float, tell: Tell
) -> None:
    for together in faults:
        struck = len(report.trials)
        if _is_over(stage, limits, time.monotonic() - epoch, struck):
            break
        await stage.ready()
        await asyncio.sleep(_PAUSE_SECONDS)
        await _in_step(stage, limits, struck, epoch)
        report.trials += await trial.run(stage, together, epoch)
        tell(_line(stage, report, epoch, ", ".join(fault.told() for fault in together)))


async def judge(stage: Stage, report: Report, most_repeated: int | None, rested: datetime, tell: Tell) -> None:
    """Asks the checker, and compares the database with what it found."""
    verdict = stage.witness.checker.judge(most_repeated=most_repeated, tell=tell)
    connection = await stage.connect()
    try:
        verdict.wrong += await ledger.check(connection, verdict, rested)
    finally:
        await connection.close()
    acknowledged = stage.sender.acknowledged
    if verdict.records < acknowledged:
        verdict.wrong.append(f"Kafka itself: {acknowledged} records were acknowledged, {verdict.records} are there")
    report.acknowledged, report.commands, report.events = acknowledged, verdict.commands, verdict.events
    report.ended = list(stage.ended)
    report.results, report.repeated, report.letters = verdict.results, verdict.repeated, verdict.letters
    report.outcomes = dict(verdict.outcomes.most_common())
    report.wrong += verdict.wrong


async def _settle(stage: Stage, report: Report, rested: datetime | None = None) -> None:
    """Waits until nothing is left to do that was due by then (or now); what stays undone is a violation."""
    left: list[str] = []

    async def nothing_left() -> bool:
        left[:] = await stage.left_to_do(rested)
        return not left

    try:
        await until(nothing_left, SETTLE_SECONDS)
    except TimeoutError:
        report.wrong += [f"never done: {one}" for one in left]


def _is_over(stage: Stage, limits: Limits, seconds: float, faults: int) -> bool:
    return seconds >= limits.seconds or stage.sender.done or (limits.faults is not None and faults >= limits.faults)


async def _in_step(stage: Stage, limits: Limits, struck: int, epoch: float) -> None:
    """Where both are counted, faults and records keep step: neither is over long before the other."""
    if limits.faults is None or limits.records is None:
        return
    stage.sender.share = (struck + 1) / limits.faults
    enough = limits.records * struck / limits.faults
    while stage.sender.sent < enough and time.monotonic() - epoch < limits.seconds:  # noqa: ASYNC110  no event tells
        await asyncio.sleep(_PAUSE_SECONDS)


@contextmanager
def _sampling(stage: Stage, report: Report, epoch: float, tell: Tell) -> Iterator[None]:
    async def sample() -> None:
        while True:
            moment = time.monotonic() - epoch
            memory = await asyncio.to_thread(_memory, stage)
            report.samples.append(Sample(moment, stage.sender.acknowledged, stage.witness.checker.fresh, memory))
            if len(report.samples) % 10 == 0:
                tell(_line(stage, report, epoch, ""))
                # What is kept for the verdict only grows: to look through it again and again would halt the proxies.
                gc.freeze()
            await asyncio.sleep(_SAMPLE_SECONDS)

    task = asyncio.create_task(sample(), name="samples")
    try:
        yield
    finally:
        task.cancel()


def _memory(stage: Stage) -> dict[str, int]:
    """The largest process of each role, and the harness itself."""
    found: dict[str, int] = {"harness": psutil.Process().memory_info().rss}
    for member in stage.members:
        pid = member.service.pid
        if pid is not None and psutil.pid_exists(pid):
            try:
                found[member.roles] = max(found.get(member.roles, 0), psutil.Process(pid).memory_info().rss)
            except psutil.Error:
                continue
    return found


def _line(stage: Stage, report: Report, epoch: float, what: str) -> str:
    checker = stage.witness.checker
    return (
        f"{time.monotonic() - epoch:6.0f} s  records {stage.sender.acknowledged}  events {checker.fresh}  "
        f"faults {len(report.trials)}  {what}"
    ).rstrip()
