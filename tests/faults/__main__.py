"""A long run by hand: traffic and faults for so many minutes, and a report.

python -m tests.faults --seed 1 --minutes 10
make soak SEED=1 MINUTES=60 COMMANDS=1000000 FAULTS=200
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from service.embedded import EmbeddedPostgres
from tests.faults import timeline
from tests.faults.kinds.registry import Make, all_kinds, clock_kinds, disk_kinds
from tests.faults.report import Report
from tests.faults.run import Limits, run
from tests.faults.schedule import schedule
from tests.faults.stage import POSTGRES, Cast, Load, staged
from tests.support import faketime
from tests.support.kafka_jars import fetch_jars
from tests.support.small_disk import require_mount, small_disk
from tests.support.stack import NotHereError


def main(arguments: Iterable[str] | None = None) -> int:
    """Runs, writes the report, and ends with 1 when a promise was broken."""
    chosen = _parse(arguments)
    # The harness's own clients report every fault at length.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    fetch_jars()
    report = asyncio.run(_soak(chosen))
    directory = Path(chosen.out)
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"soak-{chosen.seed}"
    for suffix, text in ((".txt", str(report)), (".json", report.as_json()), (".svg", timeline.draw(report))):
        stem.with_suffix(suffix).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{report}written: {stem}.txt, .json, .svg\n")
    return 1 if report.wrong else 0


def _parse(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the traffic and of the faults")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long new faults are made")
    parser.add_argument("--commands", type=int, help="how many records are sent in all; spread over the minutes")
    parser.add_argument("--faults", type=int, help="end after so many")
    parser.add_argument("--pace", type=float, default=150.0, help="records a second, where no number is given")
    parser.add_argument("--kinds", default="", help="only these kinds, separated by commas")
    parser.add_argument("--together", type=float, default=0.2, help="how often two faults strike at a time")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--out", default="build/soak", help="directory of the report")
    return parser.parse_args(None if arguments is None else list(arguments))


async def _soak(chosen: argparse.Namespace) -> Report:
    pace = chosen.commands / (chosen.minutes * 60) if chosen.commands else chosen.pace
    limits = Limits(chosen.minutes * 60, chosen.faults, chosen.commands)
    roles = ["worker"] * chosen.workers + ["relay", "relay", "clock", "clock"]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bookstream-soak-")))
        machine = _machine(stack)
        cast, load = Cast(roles, clocks=machine.clocks), Load(chosen.seed, pace)
        only = frozenset(filter(None, chosen.kinds.split(",")))
        kinds = {kind: make for kind, make in machine.kinds.items() if not only or kind in only}
        async with staged(directory, cast, load, machine.postgres) as stage:
            faults = schedule(chosen.seed, kinds, chosen.together)
            report = await run(stage, faults, limits, chosen.seed, tell=_tell)
    report.left_out = machine.lacking
    return report


@dataclass(slots=True)
class _Machine:
    """What this machine lends to a run, and what it lacks."""

    kinds: dict[str, Make]
    postgres: EmbeddedPostgres | None = None
    clocks: Path | None = None
    lacking: list[str] = field(default_factory=list)


def _machine(stack: ExitStack) -> _Machine:
    found = _Machine(dict(all_kinds()))
    try:
        found.clocks = faketime.library()
        found.kinds |= clock_kinds()
    except NotHereError as reason:
        found.lacking.append(f"clocks that jump: {reason}")
    try:
        require_mount()
        disk = stack.enter_context(small_disk(POSTGRES))
        found.postgres = disk.postgres
        found.kinds |= disk_kinds(disk)
    except NotHereError as reason:
        found.lacking.append(f"a disk that is full: {reason}")
    return found


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
