"""Gives cases to a target until enough is done or one breaks it."""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tests.fuzz.mutator import Mutator

EVERY: Final = 500


class Target(Protocol):
    """A module of `tests.fuzz.targets`."""

    def target(self, data: bytes) -> None:
        """Takes one case; whatever it raises is a finding."""

    def seeds(self) -> Sequence[bytes]:
        """Sound cases that the others are made of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A case that broke a target, and how."""

    case: bytes
    error: str

    def __str__(self) -> str:
        return f"{self.error}case as hex: {self.case.hex()}\ncase: {self.case[:2000]!r}\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many cases were tried in how many seconds, the longest case in seconds of the processor, what was found."""

    cases: int
    seconds: float
    slowest: float
    finding: Finding | None = None

    def __str__(self) -> str:
        rate = self.cases / self.seconds if self.seconds else 0.0
        return f"{self.cases} cases, {rate:.0f}/s, slowest {self.slowest * 1000:.0f} ms"


def attempt(target: Target, case: bytes) -> Finding | None:
    """Tries one case."""
    try:
        target.target(case)
    except Exception:  # noqa: BLE001  that is what is looked for
        return Finding(case, traceback.format_exc(limit=-12))
    return None


def run(
    target: Target,
    seed: int,
    *,
    most: int | None = None,
    seconds: float | None = None,
    tell: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Tries the sound cases, then others, until so many or so long; ends with the first finding.

    `tell` is given the outcome so far every few hundred cases.
    """
    begun, slowest, count = time.monotonic(), 0.0, 0
    for case in _cases(target, seed):
        if (most is not None and count >= most) or (
            seconds is not None and count % EVERY == 0 and time.monotonic() - begun >= seconds
        ):
            break
        before = time.process_time()
        finding = attempt(target, case)
        slowest, count = max(slowest, time.process_time() - before), count + 1
        if finding is not None:
            return Outcome(count, time.monotonic() - begun, slowest, finding)
        if count % EVERY == 0:
            tell(Outcome(count, time.monotonic() - begun, slowest))
    return Outcome(count, time.monotonic() - begun, slowest)


def _cases(target: Target, seed: int) -> Iterator[bytes]:
    sound = target.seeds()
    yield from sound
    mutator = Mutator(seed, sound)
    while True:
        yield mutator.case()
