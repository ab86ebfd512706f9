"""Pauses that grow from try to try, with jitter."""

import random


class Backoff:
    """Doubles from `first` to `longest` seconds; each pause is between half and the whole of that."""

    def __init__(self, first: float = 0.1, longest: float = 2.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next(self) -> float:
        """Seconds to wait before the next try."""
        pause = self._next
        self._next = min(pause * 2, self._longest)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311  no secret depends on it

    def reset(self) -> None:
        """Begin anew after a success."""
        self._next = self._first
