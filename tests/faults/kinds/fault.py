"""What every fault has: a kind, parameters from a seed, a beginning and an end."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Literal

from tests.faults.stage import Stage

# Faults of different areas may be under way together.
Area = Literal["worker", "relay", "clock", "postgresql", "kafka", "senders"]


@dataclass(slots=True)
class Fault(ABC):
    """Something that goes wrong, for `seconds`; `kind` names it in reports."""

    kind: str
    area: Area
    seconds: float

    @abstractmethod
    async def inject(self, stage: Stage) -> None:
        """Let it go wrong."""

    @abstractmethod
    async def heal(self, stage: Stage) -> None:
        """End it; when this returns, whatever is still amiss is the service's to overcome."""

    async def last(self) -> None:
        """Let time pass between the two."""
        await asyncio.sleep(self.seconds)

    def told(self) -> str:
        """Kind and parameters, as reports and schedules write them."""
        own = [each for each in fields(self) if each.init and each.name not in ("kind", "area")]
        given = ", ".join(f"{each.name}={_short(getattr(self, each.name))}" for each in own)
        return f"{self.kind}({given})"


def _short(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
