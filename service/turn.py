"""Lets the rest of the process run while much is worked on: heartbeats, and the relay that shares it."""

import asyncio
import time
from typing import Final

LONGEST: Final = 0.005


class Turn:
    """How long work has gone on without a pause; asked after each piece of it."""

    __slots__ = ("_end",)

    def __init__(self) -> None:
        self._end = time.monotonic() + LONGEST

    @property
    def over(self) -> bool:
        """Whether others should have theirs."""
        return time.monotonic() > self._end

    async def pass_on(self) -> None:
        """Let the others run, and begin a new turn."""
        await asyncio.sleep(0)
        self._end = time.monotonic() + LONGEST
