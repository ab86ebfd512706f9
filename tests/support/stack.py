"""Which real servers this machine offers to the tests, and why the others were not taken."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass


class NotHereError(Exception):
    """A source of a server cannot be used on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """A way to get a server; `start` yields its address and stops the server afterwards."""

    description: str
    start: Callable[[], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class Found:
    """The first usable source of a server, or none, and the reasons against those before it."""

    server: str
    source: Source | None
    reasons: tuple[str, ...]

    def explain(self) -> str:
        """Return in one line what was taken, and why nothing before it was."""
        taken = "none" if self.source is None else self.source.description
        return "; ".join((f"{self.server}: {taken}", *self.reasons))


def first_usable(server: str, candidates: Mapping[str, Callable[[], Source]]) -> Found:
    """Try the candidates in order; each makes itself ready, downloads included, or raises NotHereError."""
    reasons: list[str] = []
    for label, make_ready in candidates.items():
        try:
            return Found(server, make_ready(), tuple(reasons))
        except NotHereError as reason:
            reasons.append(f"{label}: {reason}")
    return Found(server, None, tuple(reasons))


def running_already(variable: str) -> Source:
    """Return the server whose address an environment variable holds."""
    address = os.environ.get(variable, "").strip()
    if not address:
        raise NotHereError("is not set")

    @contextmanager
    def start() -> Iterator[str]:
        yield address

    return Source(f"the one named by {variable}", start)


def real_kafka_is_owed() -> bool:
    """Tell whether this run must fail where no real Kafka is found, instead of leaving tests out."""
    return os.environ.get("CI", "").lower() in {"1", "true"} or os.environ.get("BROKER", "").lower() == "kafka"
