"""A run as a page: Markdown with plots beside it, and the raw figures as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tests.benchmarks.cpu import PARTS
from tests.benchmarks.growth import Point, shown
from tests.benchmarks.latency import Latency
from tests.benchmarks.measure import Round
from tests.benchmarks.plot import bars, curves
from tests.benchmarks.report import Report
from tests.benchmarks.series import Series

PAGE = "report.md"


def write_page(directory: Path, report: Report, series: Series) -> Path:
    """Write everything into a directory, and return the page."""
    directory.mkdir(parents=True, exist_ok=True)
    raw = {**report.json(), **_plain(series)}
    (directory / "raw.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
    for name, picture in _plots(report, series).items():
        (directory / f"{name}.svg").write_text(picture, encoding="utf-8")
    page = directory / PAGE
    page.write_text("\n".join(_page(report, series, raw["at"])) + "\n", encoding="utf-8")
    return page


def _page(report: Report, series: Series, at: str) -> list[str]:
    return [
        f"# Speed, measured {at[:10]}",
        "",
        (
            "Everything ran on one machine at once: the service, PostgreSQL, Kafka and the program that measures. "
            "Absolute figures are that machine's, on that day; compare what stands side by side. Written by "
            "`make bench REPORT=dir`; `raw.json` holds the figures."
        ),
        "",
        "## Beside a naive peer",
        "",
        f"<pre>\n{escape(report.text().strip())}\n</pre>",
        "",
        "![commands per second](throughput.svg)",
        "![CPU per command](cpu.svg)",
        "",
        "## Kinds of load",
        "",
        "CPU in milliseconds for each event; memory is the most that all processes of the service had together.",
        "",
        *_table(
            ("load", "events/s", *PARTS, "memory, MiB"),
            [
                (name, f"{one.rate:,.0f}", *_cpu(one), f"{series.memory[name]:.0f}")
                for name, one in series.loads.items()
            ],
        ),
        "",
        "## Actions on groups",
        "",
        "CPU in milliseconds for each booking that an action on its group changes.",
        "",
        *_table(
            ("bookings in a group", "bookings", *PARTS, "total"),
            [
                (
                    f"{one.size:,}",
                    f"{one.bookings:,}",
                    *(f"{value:.3f}" for value in one.cpu.per(one.bookings).values()),
                )
                for one in series.groups
            ],
        ),
        "",
        "## Latency",
        "",
        (
            "From the moment a command is due to be sent until its event can be consumed, at a constant rate "
            "(open loop), in milliseconds. The program that sends and reads shares the machine."
        ),
        "",
        *_table(
            ("of the throughput", "commands/s", "commands", "p50", "p99", "p99.9", "longest"),
            [(f"{one.share:.0%}", f"{one.rate:,.0f}", f"{one.commands:,}", *_waits(one)) for one in series.latencies],
        ),
        "",
        "![latency](latency.svg)",
        "",
        "## Worker processes",
        "",
        "More of them than processors share these with the servers.",
        "",
        *_growth("worker processes", series.workers),
        "",
        "## A backlog",
        "",
        "Memory of all processes of the service together, in MiB: the most in the first tenth of the time, and in all.",
        "",
        *_table(
            ("commands that waited", "commands/s", *PARTS, "early", "most"),
            [
                (
                    f"{one.round.commands:,}",
                    f"{one.round.rate:,.0f}",
                    *_cpu(one.round),
                    f"{one.early:.0f}",
                    f"{one.most:.0f}",
                )
                for one in series.drains
            ],
        ),
        "",
        "## As the tables grow",
        "",
        (
            "Updates of bookings chosen uniformly, right after a checkpoint; CPU in milliseconds for each command, the "
            "write-ahead log in bytes."
        ),
        "",
        *_growth("bookings", series.bookings),
        "",
        "![CPU per command as the bookings grow](scaling.svg)",
        "",
        *_growth("commands in the inbox", series.inbox),
    ]


def _plots(report: Report, series: Series) -> Mapping[str, str]:
    totals = report.totals()
    shares = [f"{one.share:.0%}" for one in series.latencies]
    growth = {part: [one.round.cpu.per(one.round.commands)[part] for one in series.bookings] for part in PARTS}
    waits = {"p50": [one.p50 for one in series.latencies], "p99": [one.p99 for one in series.latencies],
             "p99.9": [one.p999 for one in series.latencies]}  # fmt: skip
    return {
        "throughput": bars("commands per second", {one.system: {"commands/s": one.rate} for one in totals}),
        "cpu": bars("CPU per command, ms", {one.system: _parts(one) for one in totals}),
        "latency": curves("latency, ms, by share of the throughput", shares, waits),
        "scaling": curves("CPU per command, ms, by bookings", shown(series.bookings), growth),
    }


def _waits(one: Latency) -> Iterator[str]:
    return (f"{value:.1f}" for value in (one.p50, one.p99, one.p999, one.longest))


def _parts(one: Round) -> dict[str, float]:
    per = one.cpu.per(one.commands)
    return {part: per[part] for part in PARTS}


def _cpu(one: Round) -> tuple[str, ...]:
    return tuple(f"{value:.3f}" for value in _parts(one).values())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _plain(series: Series) -> dict[str, Any]:
    return {
        "loads": {
            name: {"events_per_second": one.rate, "cpu_ms": _parts(one), "memory_mib": series.memory[name]}
            for name, one in series.loads.items()
        },
        "groups": [
            {"size": one.size, "bookings": one.bookings, "cpu_ms": one.cpu.per(one.bookings)} for one in series.groups
        ],
        "latency_ms": [
            {"share": one.share, "rate": one.rate, "commands": one.commands, "p50": one.p50, "p99": one.p99}
            | {"p99.9": one.p999, "longest": one.longest}
            for one in series.latencies
        ],
        "workers": _plain_growth(series.workers),
        "backlogs": [
            {"commands_per_second": one.round.rate, "cpu_ms": _parts(one.round)}
            | {"commands": one.round.commands, "memory_mib_early": one.early, "memory_mib": one.most}
            for one in series.drains
        ],
        "bookings": _plain_growth(series.bookings),
        "inbox": _plain_growth(series.inbox),
    }


def _growth(what: str, points: Sequence[Point]) -> list[str]:
    return _table(
        (what, "commands/s", *PARTS, "WAL"),
        [(f"{one.size:,}", f"{one.round.rate:,.0f}", *_cpu(one.round), f"{one.wal:,.0f}") for one in points],
    )


def _plain_growth(points: Sequence[Point]) -> list[dict[str, Any]]:
    return [
        {"size": one.size, "commands_per_second": one.round.rate, "cpu_ms": _parts(one.round), "wal_bytes": one.wal}
        for one in points
    ]
