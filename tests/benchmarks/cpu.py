"""Processor time of processes and all their children, those that have ended included."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import psutil

PARTS: Final = ("service", "postgresql", "kafka")


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of processor time, user and system, of each part."""

    service: float = 0.0
    postgresql: float = 0.0
    kafka: float = 0.0

    @property
    def total(self) -> float:
        """All parts together."""
        return self.service + self.postgresql + self.kafka

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(*(getattr(self, part) + getattr(other, part) for part in PARTS))

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(*(getattr(self, part) - getattr(other, part) for part in PARTS))

    def per(self, commands: int) -> Mapping[str, float]:
        """Milliseconds for each command, by part and in total."""
        return {part: getattr(self, part) * 1000 / commands for part in (*PARTS, "total")}


def spent(service: Iterable[int], postgresql: int, kafka: Iterable[int]) -> Cpu:
    """Read what the trees of processes below these have used so far."""
    return Cpu(
        service=sum(_tree(pid) for pid in service),
        postgresql=_tree(postgresql),
        kafka=sum(_tree(pid) for pid in kafka),
    )


def _tree(pid: int) -> float:
    """A child that ends between the looks is counted by its parent, which has waited for it."""
    root = psutil.Process(pid)
    seconds = 0.0
    for process in (*root.children(recursive=True), root):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds
