"""Guests who take up the links that events offer: twice at once, with a wrong action, and sometimes sent again."""

import random
from collections import deque
from collections.abc import Iterator

from tests.e2e.broker import Sent, record_of
from tests.e2e.model import Command
from tests.faults.evidence import Event
from tests.faults.stories import LINKED

_TAKEN_UP = 0.4
_MISUSED = 0.1
# While nothing can be sent, guests lose their patience.
_MOST_WAITING = 2_000


class Guests:
    """Hears of events, and has records to send."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311
        self._waiting: deque[Sent] = deque(maxlen=_MOST_WAITING)
        self._count = 0

    def hear(self, event: Event) -> None:
        """Perhaps takes up a link of an event."""
        if not event.links or not event.identity[1].startswith(LINKED):
            return
        if self._chance.random() < _TAKEN_UP:
            action = self._chance.choice(sorted(event.links))
            first, second = (self._redeem(event, action, event.links[action]) for _ in range(2))
            self._waiting += [first, second, *([first] if self._chance.random() < 0.2 else [])]
        if self._chance.random() < _MISUSED:
            action, token = min(event.links.items())
            self._waiting.append(self._redeem(event, f"no_{action}", token))

    def among(self, records: Iterator[Sent]) -> Iterator[Sent]:
        """The records of others, with those of the guests as they come."""
        while True:
            yield self._waiting.popleft() if self._waiting else next(records)

    def _redeem(self, event: Event, action: str, token: str) -> Sent:
        self._count += 1
        booking_id = event.identity[1]
        data = {"account_id": event.account, "booking_id": booking_id, "action": action, "link": token}
        return record_of(Command(f"guest-{self._count}", "state-action", "booking", booking_id, data, reply=True))
