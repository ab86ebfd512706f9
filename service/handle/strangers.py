"""Commands that nobody signed as they should: refused apart from all others, and answered only so often.

They are looked up nowhere and leave no memory, so that they cost little; answers beyond the limit are left out, so that
a flood of them can't fill the topic that the answers to everybody else go to.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from service.domain.model import Refused
from service.handle.answer import UNAUTHENTICATED, Answers
from service.handle.decided import Decided
from service.received import Received
from service.telemetry.names import REFUSED

MOST_ANSWERS: Final = 600
"""In a minute, by one process."""


def is_stranger(received: Received) -> bool:
    """Whether nobody is known to have sent it."""
    return isinstance(received.body, Refused) and received.body.reason in UNAUTHENTICATED


class Strangers:
    """Refuses strangers, and counts the answers that this process has given them in the present minute."""

    def __init__(self, answers: Answers, most: int = MOST_ANSWERS) -> None:
        self._answers = answers
        self._most = most
        self._minute = 0
        self._given = 0

    def refuse(self, strangers: Sequence[Received], now: datetime) -> list[Decided]:
        """Decides them all; those beyond the limit have no rows to publish."""
        left = max(0, self._most - (self._given if _minute(now) == self._minute else 0))
        return [self._refuse(received, answered=place < left) for place, received in enumerate(strangers)]

    def given(self, refused: Sequence[Decided], now: datetime) -> int:
        """Counts answers that are committed; tells how many were left out."""
        if _minute(now) != self._minute:
            self._minute, self._given = _minute(now), 0
        answered = sum(1 for decided in refused if decided.rows)
        self._given += answered
        return len(refused) - answered

    def _refuse(self, received: Received, *, answered: bool) -> Decided:
        assert isinstance(received.body, Refused)  # noqa: S101  see is_stranger
        if answered:
            # It may have named an account, but nobody says that this is its sender's.
            return self._answers.refused(received._replace(account_id=""), received.body, None)
        return Decided(received, outcome=REFUSED, refusal=received.body.reason)


def _minute(now: datetime) -> int:
    return int(now.timestamp() // 60)
