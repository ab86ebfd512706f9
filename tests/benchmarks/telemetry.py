"""What metrics and traces cost: processor time of the service per command, each way in turn, side by side.

    python -m tests.benchmarks.telemetry --rounds 3 --commands 40000

Read the ratios: what else runs on the machine moves the figures of a round, and the ways take turns.
"""

import argparse
import asyncio
import logging
import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Final

from service.embedded.process import LOOPBACK
from tests.benchmarks.measure import create_bookings, measured
from tests.benchmarks.servers import Counter, running
from tests.benchmarks.systems import Ours, log_directory
from tests.benchmarks.workload import Command, Workload

SEED: Final = 20_261_201
BOOKINGS: Final = 10_000
BASE: Final = "metrics"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run: the share of commands whose senders record a trace, whether spans are exported, and metrics."""

    name: str
    traced: float = 0.0
    exported: bool = False
    metered: bool = True


WAYS: Final = (
    Way("neither", metered=False),
    Way(BASE),
    Way("traces, not exported", traced=1.0),
    Way("1 % exported", traced=0.01, exported=True),
    Way("all exported", traced=1.0, exported=True),
)


class OneWay(Ours):
    """The service, run the way that was chosen last."""

    way = WAYS[1]
    collector = ""

    def commands(self) -> list[tuple[list[str], Mapping[str, str]]]:
        """One process with all roles."""
        ((command, environment),) = super().commands()
        if not self.way.metered:
            command = ["-m", "tests.benchmarks.unmetered", "run"]
        exporting = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector}
        return [(command, {**environment, **(exporting if self.way.exported else {})})]


async def main(options: argparse.Namespace) -> None:
    """Run every way in turn, and print a table."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    figures: dict[str, list[float]] = {way.name: [] for way in WAYS}
    chance = random.Random(SEED)  # noqa: S311
    with _sink() as collector, log_directory() as directory:
        async with running() as servers, Counter(servers) as counter:
            system = OneWay(servers, Workload(BOOKINGS, SEED), Path(directory), 1)
            system.collector = collector
            await system.prepare()
            await create_bookings(system, counter)
            for number in range(options.rounds):
                for way in WAYS:
                    system.way = way
                    updates = _traced(system.workload.updates(options.commands), way.traced, chance)
                    await servers.produce(system.prefix + "booking-commands", updates)
                    done = await measured(system, counter, options.commands)
                    figures[way.name].append(done.cpu.per(done.commands)["service"])
                    print(f"{number + 1} {way.name}: {figures[way.name][-1]:.4f}", file=sys.stderr, flush=True)
    base = figures[BASE]
    print(f"{'way':<22} {'ms CPU of the service per command':>34} {'to metrics alone':>17}")
    for name, each in figures.items():
        ratio = median(one / other for one, other in zip(each, base, strict=True))
        print(f"{name:<22} {median(each):>34.4f} {ratio:>17.3f}")


def _traced(commands: Iterable[Command], share: float, chance: random.Random) -> Iterator[Command]:
    for command in commands:
        if chance.random() >= share:
            yield command
            continue
        traceparent = f"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-01"
        yield replace(command, headers=[*command.headers, ("traceparent", traceparent.encode())])


@contextmanager
def _sink() -> Iterator[str]:
    """A collector that throws spans away."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.telemetry", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each way, in turn")
    parser.add_argument("--commands", type=int, default=40_000, help="commands of a round")
    asyncio.run(main(parser.parse_args()))
