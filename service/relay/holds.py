"""Lanes that wait: why, until when, and from which row on they are to be read again."""

import math
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from service.relay.window import Page

HOLD_SECONDS = 2.0
# Stands for the number of the partition where a topic's partitions are not known: all of them.
WHOLE_TOPIC = -1

# One partition of one topic (full name).
Lane = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Hold:
    """A lane that is left alone until a moment; none of its rows has a smaller number than `seq`."""

    seq: int
    until: float
    problem: str


class Holds:
    """Lanes whose send has failed or does not end. Nothing more of a held lane is sent, so nothing overtakes."""

    def __init__(self) -> None:
        self._holds: dict[Lane, Hold] = {}

    def __contains__(self, lane: Lane) -> bool:
        return lane in self._holds

    def add(self, lane: Lane, seq: int, problem: str, *, until_it_ends: bool = False) -> None:
        """Leave a lane alone for a moment, or until `end` is called."""
        earlier = self._holds.get(lane)
        first = seq if earlier is None else min(seq, earlier.seq)
        self._holds[lane] = Hold(first, math.inf if until_it_ends else time.monotonic() + HOLD_SECONDS, problem)

    def end(self, lane: Lane) -> None:
        """Let a lane be tried again that waits for this; one that is held for a moment goes on to be."""
        hold = self._holds[lane]
        if hold.until == math.inf:
            self._holds[lane] = replace(hold, until=time.monotonic())

    def found(self, lane: Lane, seq: int) -> None:
        """Note a row of a held lane: one that was committed late may come before the first that was known."""
        hold = self._holds[lane]
        if seq < hold.seq:
            self._holds[lane] = replace(hold, seq=seq)

    def due(self) -> int | None:
        """Where to read for lanes that may be tried again; None when there are none."""
        now = time.monotonic()
        return min((hold.seq for hold in self._holds.values() if hold.until <= now), default=None)

    def release(self, page: Page, but: Container[Lane]) -> set[Lane]:
        """Let the lanes go that may be tried again with this page, since it has their first rows; gives them."""
        now = time.monotonic()
        chosen = {
            lane
            for lane, hold in self._holds.items()
            if hold.until <= now and page.begin <= hold.seq < page.end and lane not in but
        }
        for lane in chosen:
            del self._holds[lane]
        return chosen

    def free(self, lanes: Iterable[Lane]) -> bool:
        """Whether any of these lanes is not held now."""
        return any(lane not in self._holds for lane in lanes)

    def first(self, place: int) -> int:
        """The number below which there is no row, where those below the place are of held lanes."""
        return min((place, *(hold.seq for hold in self._holds.values())))

    def problems(self) -> Mapping[Lane, str]:
        """Why each lane waits."""
        return {lane: hold.problem for lane, hold in self._holds.items()}
