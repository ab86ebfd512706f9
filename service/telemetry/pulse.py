"""Signs of life: when a loop last went round, and whether what the process needs answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from service.telemetry.told import told


@dataclass(slots=True)
class Pulse:
    """When something last happened; `-inf` is never."""

    last: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Note that it happened now."""
        self.last = time.monotonic()

    def age(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self.last


@dataclass(slots=True)
class Check:
    """Asks a dependency again and again; `problem` is what is wrong with it now."""

    name: str
    ask: Callable[[], Awaitable[None]]
    problem: str | None

    @classmethod
    def of(cls, name: str, ask: Callable[[], Awaitable[None]]) -> "Check":
        """A check that has not been made yet."""
        return cls(name, ask, f"{name} has not been asked yet")

    async def run(self, every: float, within: float) -> None:
        """Ask for ever; to be cancelled."""
        while True:
            await self.once(within)
            await asyncio.sleep(every)

    async def once(self, within: float) -> None:
        """Ask once, for so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self.ask()
        except TimeoutError:
            self.problem = f"{self.name} has not answered within {within:.0f} s"
        except Exception as error:  # noqa: BLE001 - whatever a client raises, there is no answer
            self.problem = f"{self.name} does not answer: {told(error)}"
        else:
            self.problem = None
