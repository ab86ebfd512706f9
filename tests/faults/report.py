"""What a run was, what it came to and how long each fault took to overcome: as text and as JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from statistics import median

from tests.e2e.checker import told
from tests.faults.trial import Trial

# Seconds until the first event after a fault, by what it has struck.
TARGETS = {"worker": 10.0, "kafka": 10.0, "relay": 3.0, "clock": 3.0, "postgresql": 3.0, "senders": 3.0}


@dataclass(frozen=True, slots=True)
class Sample:
    """How far things were so many seconds after the beginning; `memory` in bytes, by role."""

    moment: float
    acknowledged: int
    events: int
    memory: dict[str, int]


@dataclass(slots=True)
class Report:
    """Figures of a run, and what was wrong."""

    seed: int
    left_out: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    seconds: float = 0.0
    acknowledged: int = 0
    commands: int = 0
    events: int = 0
    results: int = 0
    repeated: int = 0
    letters: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """One line."""
        return f"{len(self.wrong)} violations" if self.wrong else "no violation"

    @property
    def slow(self) -> list[Trial]:
        """Faults that struck alone and took longer than the target."""
        return [one for one in self.trials if not one.together and not _within(one)]

    def as_json(self) -> str:
        """Everything, for programs."""
        return json.dumps({**asdict(self), "verdict": self.verdict}, indent=1)

    def __str__(self) -> str:
        alone = [one for one in self.trials if not one.together]
        lines = [
            f"seed {self.seed}, {self.seconds:.0f} s, {len(self.trials)} faults ({len(alone)} of them alone)",
            f"records acknowledged: {self.acknowledged}, distinct commands with those of timers: {self.commands}",
            f"events: {self.events} ({self.repeated} of them repeats), results: {self.results}",
            f"dead letters: {self.letters}",
            f"outcomes that were told: {', '.join(f'{name} {times}' for name, times in self.outcomes.items())}",
            *self._memory(),
            *(f"not made: {reason}" for reason in self.left_out),
            *(one.told for one in self.trials if not one.came_about),
            f"processes that ended by themselves and were started again: {len(self.ended)}",
            *self.ended,
            "",
            f"{'fault':34}{'times':>6}{'alone':>6}  first event: median   most  caught up: most  silence: most",
            *self._kinds(),
            "",
            f"stalls (no event within {max(TARGETS.values()):.0f} s, or the target of its area): {len(self.slow)}",
            *(
                f"  {one.told}: first event after {_seconds(one.first)}, first timer after {_seconds(one.timer)}"
                for one in self.slow
            ),
            "",
            f"verdict: {self.verdict}",
            told(self.wrong),
        ]
        return "\n".join(lines).rstrip() + "\n"

    def _memory(self) -> list[str]:
        if not self.samples:
            return []
        later = [one for one in self.samples if one.moment > self.samples[-1].moment / 4] or self.samples
        roles = later[-1].memory.keys()
        shown = (f"{role} {_mb(one.memory[role] for one in later if role in one.memory)}" for role in roles)
        return [f"largest process of each role, MB (least to most in the last three quarters): {', '.join(shown)}"]

    def _kinds(self) -> Iterable[str]:
        ordered = sorted(self.trials, key=lambda one: one.kind)
        for kind, group in groupby(ordered, key=lambda one: one.kind):
            trials = list(group)
            alone = [one for one in trials if not one.together] or trials
            firsts = [_number(one.first) for one in alone]
            caught_up = max(_number(one.caught_up) for one in alone)
            silence = max(one.silence for one in alone)
            yield (
                f"{kind:34}{len(trials):6}{sum(not one.together for one in trials):6}"
                f"{median(firsts):21.1f}{max(firsts):7.1f}{caught_up:17.1f}{silence:15.1f}"
            )


def _within(trial: Trial) -> bool:
    # Events go on without a clock: what it does shows in its timers alone.
    seconds = trial.timer if trial.area == "clock" else trial.first
    return seconds is not None and seconds <= TARGETS[trial.area]


def _number(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def _mb(values: Iterable[int]) -> str:
    found: Sequence[int] = list(values)
    return f"{min(found) >> 20} to {max(found) >> 20}"
