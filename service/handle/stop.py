"""Stops consumption when too many commands end in `internal_error`: a defect must not drain a topic into dead letters.

The pause is written in the transaction of the batch that exceeds the limit. After a pause, whoever began it, counting
begins anew.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from service.domain.model import Reason
from service.handle.decided import Decided
from service.received import DeadLetter

WINDOW: Final = 1_000
LEAST: Final = 100
WHO: Final = "the service"


class Outcomes:
    """The last outcomes of this process' committed commands; records that are no command do not count."""

    def __init__(self, ratio: float) -> None:
        """More than this share of the last 1,000 commands, but of at least 100, is too many; 1 is never."""
        self._ratio = ratio
        self._broken: deque[bool] = deque(maxlen=WINDOW)
        self._pause_id = 0

    def too_many(self, pause_id: int, found: Sequence[bool]) -> str | None:
        """Tells why to stop if these outcomes are committed; `pause_id` is that of the last pause."""
        if not any(found):
            return None
        before = self._broken if pause_id == self._pause_id else ()
        last = (*before, *found)[-WINDOW:]
        broken = sum(last)
        if len(last) < LEAST or broken <= self._ratio * len(last):
            return None
        return (
            f"{broken} of the last {len(last)} commands ended in internal_error; see the log and `bookstream dlq list`"
        )

    def committed(self, pause_id: int, found: Sequence[bool]) -> None:
        """Notes outcomes that are committed."""
        if pause_id != self._pause_id:
            self._broken.clear()
            self._pause_id = pause_id
        self._broken.extend(found)


def broken_ones(decided: Sequence[Decided], letters: Sequence[DeadLetter]) -> list[bool]:
    """Tells of each command whether it broke a rule of ours; a record that broke the decoder is one that did."""
    found = [one.refusal is Reason.INTERNAL_ERROR for one in decided]
    return found + [True for letter in letters if letter.reason == "internal_error"]
