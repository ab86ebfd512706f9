"""Commands per second and processor time per command of the service, beside a naive FastStream peer, in one run."""

import argparse
import asyncio
import json
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import profiler, statements
from tests.benchmarks.check import check
from tests.benchmarks.measure import create_bookings, measured
from tests.benchmarks.page import write_page
from tests.benchmarks.report import Report, machine
from tests.benchmarks.series import Series, Sizes, measure_all
from tests.benchmarks.servers import Counter, Servers, running
from tests.benchmarks.systems import Ours, Peer, System, log_directory
from tests.benchmarks.workload import LARGEST, SMALLEST, Workload

SEED = 20_261_201


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured; `sizes` are for the report alone."""

    bookings: int
    rounds: int
    commands: int
    peer_commands: int
    sizes: Sizes


QUICK = Plan(
    10_000,
    2,
    40_000,
    2_000,
    Sizes(10_000, 4_000, 5.0, workers=(1, 2), drains=(50_000,), bookings=(10_000, 100_000), inbox=(200_000,)),
)
FULL = Plan(
    10_000,
    4,
    100_000,
    5_000,
    Sizes(
        50_000,
        10_000,
        20.0,
        workers=(1, 2, 4),
        drains=(100_000, 1_000_000),
        bookings=(10_000, 100_000, 1_000_000, 10_000_000),
        inbox=(1_000_000, 10_000_000),
    ),
)


@dataclass(slots=True)
class Bench:
    """A system under measurement, with the ids of all commands that it was given."""

    system: System
    commands: int
    created: int
    ids: list[str]


class Progress:
    """Lines on standard error, with the seconds since the start."""

    def __init__(self) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", file=sys.stderr, flush=True)


async def main(options: argparse.Namespace) -> int:
    """Run the benchmark and print its report."""
    plan, say = _plan(options), Progress()
    # A new topic has no leader for a moment; the client tries again by itself.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    say("starting PostgreSQL and Apache Kafka")
    async with running(statements=options.profile is not None) as servers, Counter(servers) as counter:
        with log_directory() as directory:
            benches = await _prepare(servers, counter, plan, options, Path(directory), say)
            if options.profile is not None:
                await _profile(benches[0], counter, options, say)
                return 0
            report = await _measure(servers, counter, plan, benches, say)
            ours = benches[0].system
            if options.report is not None and isinstance(ours, Ours):
                rate = report.totals()[0].rate
                series = Series()
                try:
                    await measure_all(ours, counter, plan.sizes, rate, say, series)
                finally:
                    # As far as it has come: what grows comes last, and takes longest.
                    say(f"written: {write_page(options.report, report, series)}")
    print(report.text())
    if options.json is not None:
        options.json.write_text(json.dumps(report.json(), indent=2) + "\n", encoding="utf-8")
    return 0


async def _prepare(
    servers: Servers, counter: Counter, plan: Plan, options: argparse.Namespace, directory: Path, say: Progress
) -> list[Bench]:
    benches: list[Bench] = []
    if options.only != "peer":
        ours = Ours(servers, Workload(plan.bookings, SEED), directory, options.workers)
        say(f"{ours.name}: creating {plan.bookings:,} bookings through the service")
        await ours.prepare()
        benches.append(Bench(ours, plan.commands, 1, await create_bookings(ours, counter)))
    if options.only != "ours" and options.profile is None:
        peer = Peer(servers, Workload(plan.bookings, SEED), directory, options.peer_workers)
        say(f"{peer.name}: writing {plan.bookings:,} bookings into its table")
        await peer.prepare()
        benches.append(Bench(peer, plan.peer_commands, 2, []))
    return benches


async def _measure(servers: Servers, counter: Counter, plan: Plan, benches: list[Bench], say: Progress) -> Report:
    workload = {
        "commands": f"update-booking, 5 members changed, {SMALLEST} to {LARGEST} bytes, all waiting before the start",
        "bookings": f"{plan.bookings:,}, chosen uniformly",
        "measured": "from the first 5 % of a round's events to the last event; start-up and warm-up are left out",
    }
    report = Report(await machine(servers), workload, {bench.system.name: bench.system.settings() for bench in benches})
    for number in range(1, plan.rounds + 1):
        for bench in benches:
            system = bench.system
            say(f"round {number} of {plan.rounds}: {system.name}, {bench.commands:,} commands")
            await _produce(bench)
            done = await measured(system, counter, bench.commands)
            report.rounds.append(done)
            say(f"    {done.rate:,.0f} commands/s, {done.cpu.per(done.commands)['total']:.3f} ms CPU per command")
    for bench in benches:
        say(f"{bench.system.name}: reading all events back")
        report.checked[bench.system.name] = await check(bench.system, counter, bench.ids, bench.created)
    return report


async def _profile(bench: Bench, counter: Counter, options: argparse.Namespace, say: Progress) -> None:
    system = bench.system
    say(f"producing {bench.commands:,} commands")
    await _produce(bench)
    say(f"profiling {options.profile_seconds} s of the first process")
    topic = system.prefix + "booking-events"
    before = await counter.count(topic)
    system.start()
    try:
        while await counter.count(topic) == before:
            system.ensure_running()
            await asyncio.sleep(0.1)
        await statements.begin(system.database_url)
        start = await counter.count(topic)
        print(await profiler.record(system.pids[0], options.profile_seconds, options.profile))
        print(await statements.end(system.database_url, await counter.count(topic) - start))
    finally:
        await asyncio.to_thread(system.stop)


async def _produce(bench: Bench) -> None:
    system = bench.system
    bench.ids += await system.servers.produce(
        system.prefix + "booking-commands", system.workload.updates(bench.commands)
    )


def _plan(options: argparse.Namespace) -> Plan:
    base = FULL if options.full else QUICK
    commands = options.commands or base.commands
    if options.profile is not None:
        # Enough that the worker is never idle while it is looked at.
        commands = max(commands, 20_000 * options.profile_seconds)
    return Plan(
        options.bookings or base.bookings,
        options.rounds or base.rounds,
        commands,
        options.peer_commands or base.peer_commands,
        base.sizes,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="less than three minutes (default)")
    size.add_argument("--full", action="store_true", help="more rounds of more commands")
    parser.add_argument("--only", choices=("ours", "peer"), help="measure one system alone")
    parser.add_argument("--workers", type=int, help="worker processes of the service (default: what it chooses)")
    parser.add_argument("--peer-workers", type=int, default=4, help="max_workers of the peer (default 4)")
    parser.add_argument("--bookings", type=int, help="bookings that the commands are spread over")
    parser.add_argument("--rounds", type=int, help="rounds of each system, in turn")
    parser.add_argument("--commands", type=int, help="commands of the service in a round")
    parser.add_argument("--peer-commands", type=int, help="commands of the peer in a round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--report", type=Path, metavar="DIR", help="measure kinds of load, latency and growth too, and "
                        "write a page with plots")  # fmt: skip
    parser.add_argument("--profile", type=Path, metavar="FILE", help="measure nothing, profile a worker with py-spy; "
                        "writes a speedscope file, or a flame graph to a .svg")  # fmt: skip
    parser.add_argument("--profile-seconds", type=int, default=6)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(_options())))
