"""The figures as a table for people, and as JSON for programs."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.cpu import PARTS, Cpu
from tests.benchmarks.measure import Round
from tests.benchmarks.servers import PARTITIONS, SHOWN, Servers, ask
from tests.support.kafka_jars import HEAP, VERSION

LIBRARIES = ("aiokafka", "asyncpg", "faststream", "orjson", "pydantic", "uvloop")
COLUMNS = ("system", "commands", "commands/s", *PARTS, "total", "rate to peer", "CPU to peer")
WIDTHS = (12, 9, 11, 8, 10, 8, 8, 12, 12)


@dataclass(slots=True)
class Report:
    """Everything a run has to say."""

    machine: Mapping[str, str]
    workload: Mapping[str, str]
    settings: dict[str, Mapping[str, str]] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)

    def totals(self) -> list[Round]:
        """All rounds of each system as one."""
        return [_sum([each for each in self.rounds if each.system == name]) for name in self.settings]

    def text(self) -> str:
        """The report as text."""
        lines = [*_section("machine", self.machine), *_section("workload", self.workload)]
        for name, settings in self.settings.items():
            lines += _section(name, settings)
        lines += ["", "CPU is milliseconds per command, user and system, on all cores together", _row(COLUMNS)]
        totals = self.totals()
        peer = next((each for each in totals if each.system == "peer"), None)
        for total in totals:
            parts = [each for each in self.rounds if each.system == total.system]
            if len(parts) > 1:
                lines += [_row(_cells(each, f"  round {number}", None)) for number, each in enumerate(parts, 1)]
            lines.append(_row(_cells(total, total.system, peer)))
        lines += [
            f"{name}: {count:,} events read back: one for each command, versions gapless and in order"
            for name, count in self.checked.items()
        ]
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """The report as plain data; CPU in milliseconds per command."""
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": dict(self.machine),
            "workload": dict(self.workload),
            "settings": {name: dict(settings) for name, settings in self.settings.items()},
            "rounds": [_plain(each) for each in self.rounds],
            "totals": [_plain(each) for each in self.totals()],
            "checked_events": self.checked,
        }


async def machine(servers: Servers) -> dict[str, str]:
    """Describe the machine, the servers and the libraries."""
    shown = [f"{name}={await ask(servers.postgres_url, f'SHOW {name}')}" for name in SHOWN]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    return {
        "cores": f"{os.cpu_count()}, shared by the systems, the servers and this program; {_processor()}",
        "Python": f"{platform.python_version()}, {', '.join(versions)}",
        "Kafka": f"{VERSION}, one node, {PARTITIONS} partitions, 1 replica, heap {HEAP}, serial GC, C1 compiler",
        "PostgreSQL": f"{await ask(servers.postgres_url, 'SHOW server_version')}, {', '.join(shown)}",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _sum(rounds: Sequence[Round]) -> Round:
    return Round(
        rounds[0].system,
        sum(each.commands for each in rounds),
        sum(each.seconds for each in rounds),
        sum((each.cpu for each in rounds), Cpu()),
    )


def _section(title: str, facts: Mapping[str, str]) -> list[str]:
    return ["", title, *(f"  {name + ':':<14} {fact}" for name, fact in facts.items())]


def _cells(total: Round, name: str, peer: Round | None) -> list[str]:
    per = total.cpu.per(total.commands)
    ratios = ["", ""]
    if peer is not None:
        share = per["total"] / peer.cpu.per(peer.commands)["total"]
        ratios = [f"{total.rate / peer.rate:.1f} x", "1" if total is peer else f"1/{1 / share:.1f}"]
    return [name, f"{total.commands:,}", f"{total.rate:,.0f}", *(f"{value:.3f}" for value in per.values()), *ratios]


def _row(cells: Sequence[str]) -> str:
    first, *rest = zip(cells, WIDTHS, strict=True)
    return (f"{first[0]:<{first[1]}}" + "".join(f" {cell:>{width}}" for cell, width in rest)).rstrip()


def _plain(total: Round) -> dict[str, Any]:
    return {
        "system": total.system,
        "commands": total.commands,
        "seconds": round(total.seconds, 3),
        "commands_per_second": round(total.rate, 1),
        "cpu_ms_per_command": {part: round(value, 5) for part, value in total.cpu.per(total.commands).items()},
    }
