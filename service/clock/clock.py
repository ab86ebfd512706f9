"""The clock's loop: own the lock, send what is due, wait."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from service.backoff import Backoff
from service.clock.due import send_due
from service.clock.housekeeping import Housekeeper
from service.store.lease import LOST, held_lease, wait_for_event
from service.telemetry.meters import Meters
from service.telemetry.names import INBOX_FORGOTTEN, TIMERS_SENT
from service.telemetry.pulse import Pulse

log = logging.getLogger(__name__)

# Beside the numbers of the relay's shards.
CLOCK_LOCK: Final = 1_000
IDLE_SECONDS: Final = 0.5
BUSY_SECONDS: Final = 0.02


@dataclass(slots=True)
class ClockHealth:
    """Facts that the probes read; `pulse` beats whenever the loop goes round, also while it waits for PostgreSQL."""

    owner: bool = False
    sent: int = 0
    last_beat: float = -math.inf
    pulse: Pulse = field(default_factory=Pulse)

    def beat(self) -> None:
        """Note that the loop is alive and has PostgreSQL."""
        self.last_beat = time.monotonic()
        self.pulse.beat()

    def beat_age(self) -> float:
        """Seconds since the last beat; infinite before the first."""
        return time.monotonic() - self.last_beat


class Clock:
    """Sends timers that are due, and tidies up; of several clocks one does, the rest stand by."""

    def __init__(
        self,
        *,
        database_url: str,
        wake: Callable[[], None] = lambda: None,
        meters: Meters | None = None,
        inbox_retention: timedelta = timedelta(days=14),
    ) -> None:
        self.health = ClockHealth()
        self._meters = meters or Meters()
        self._meters.expect(TIMERS_SENT)
        self._meters.expect(INBOX_FORGOTTEN)
        self._housekeeper = Housekeeper(inbox_retention, self._meters)
        self._database_url = database_url
        self._wake = wake
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Send until `stop` is called; outages of PostgreSQL are waited for."""
        backoff = Backoff()
        while not self._stopping.is_set():
            try:
                async with held_lease(
                    self._database_url, "clock", CLOCK_LOCK, self._stopping, self.health.beat
                ) as lease:
                    if lease is not None:
                        self.health.owner = True
                        backoff.reset()
                        while not self._stopping.is_set():
                            sent = await send_due(lease.connection)
                            self.health.beat()
                            self.health.sent += sent
                            self._meters.add(TIMERS_SENT, sent)
                            if sent:
                                self._wake()
                            tidied = await self._housekeeper.step(lease.connection)
                            await wait_for_event(self._stopping, BUSY_SECONDS if sent or tidied else IDLE_SECONDS)
            except LOST as error:
                self.health.pulse.beat()
                log.warning("the clock has no session with PostgreSQL: %r", error)
                await wait_for_event(self._stopping, backoff.next())
            finally:
                self.health.owner = False

    def stop(self) -> None:
        """Let `run` end after what is under way."""
        self._stopping.set()
