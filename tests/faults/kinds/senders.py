"""Senders that send everything twice, or in another order than they made it."""

from dataclasses import dataclass

from tests.faults.kinds.fault import Fault
from tests.faults.stage import Stage


@dataclass(slots=True)
class BadHabits(Fault):
    """The log is what counts: whatever lies on it twice takes effect once, in the order in which it lies there."""

    doubles: bool
    shuffles: bool

    async def inject(self, stage: Stage) -> None:
        """Takes the habits up."""
        habits = stage.sender.habits
        habits.doubles, habits.shuffles = self.doubles, self.shuffles

    async def heal(self, stage: Stage) -> None:
        """Gives them up."""
        stage.sender.habits.doubles = stage.sender.habits.shuffles = False
