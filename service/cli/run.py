"""`bookstream run`: the service itself."""

import asyncio
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import uvloop

from service.errors import ServiceError
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from service.crew import Crew, Seat

ALL_ROLES = "worker,relay,clock"
MOST_WORKERS = 4


@click.command()
@click.option("--roles", help=f"What this process does, separated by commas.  [default: {ALL_ROLES}]")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help=f"Processes with the role worker.  [default: one for each processor, at most {MOST_WORKERS}; 1 with --roles]",
)
def run(roles: str | None, workers: int | None) -> None:
    """Run the service until SIGTERM or Ctrl-C, which drain it.

    worker applies commands, relay publishes what they wrote, clock sends timers that are due. Any number of each may
    run anywhere; of relays and clocks one works and the others stand by. The first process has all the roles and
    answers for the others; when one of them ends, all do.
    """
    chosen = frozenset(filter(None, (role.strip() for role in (ALL_ROLES if roles is None else roles).split(","))))
    unknown = sorted(chosen - set(ALL_ROLES.split(",")))
    if unknown or not chosen:
        raise click.BadParameter(
            f"expected some of {ALL_ROLES}, not {', '.join(unknown) or 'nothing'}", param_hint="--roles"
        )
    count = workers or (1 if roles is not None else min(processors(), MOST_WORKERS))
    if count > 1 and "worker" not in chosen:
        raise click.BadParameter("there is no worker among the roles", param_hint="--workers")
    settings = load_settings()
    _run(settings, chosen, count)


def _run(settings: Settings, roles: frozenset[str], workers: int) -> None:
    # Imported here: FastStream takes seconds to load, and a wrong option should be told at once. And before the fork,
    # so that the processes share what they have loaded.
    from service import app  # noqa: PLC0415
    from service.crew import fork  # noqa: PLC0415

    del app
    if "worker" in roles:
        from service import worker  # noqa: PLC0415

        del worker
    _spare_the_garbage_collector()
    crew, seat = fork(workers - 1)
    if seat is not None:
        seat.wait()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings, roles, crew) if seat is None else _work(settings, frozenset({"worker"}), seat))
    if crew.lost is not None:
        raise ServiceError(crew.lost)


async def _work(settings: Settings, roles: frozenset[str], company: "Crew | Seat") -> None:
    from service.app import build_app  # noqa: PLC0415
    from service.telemetry.logs import set_up_logs, toggle_on_signal  # noqa: PLC0415

    set_up_logs(settings.log_level)
    toggle_on_signal(asyncio.get_running_loop(), company.signal)
    app, _ = build_app(settings, roles, company)
    await app.run()


def processors() -> int:
    """How many processors this process may use: those it may run on, and no more than its control group has."""
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(may, int(quota) // int(period)))
    except (OSError, ValueError):
        return may


def _spare_the_garbage_collector() -> None:
    """Modules and caches live for ever, and a batch makes many objects at once that all die with it, none in a cycle.

    Below the first threshold, several times what a batch keeps alive, nothing is looked at.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 10, 10)
