"""Ends the process when its event loop, or one of the loops in it, is stuck, so that the platform starts it anew."""

import asyncio
import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
# How often in a row the loops must be found stuck: ages jump when a process was frozen and wakes up.
CONFIRMED: Final = 5
EXIT_CODE: Final = 1


class Watchdog:
    """A thread that asks the event loop for a judgement every second; use as an asynchronous context manager.

    It counts its own rounds instead of the time, since a process that was frozen is none that is stuck. What holds the
    interpreter itself stops this thread too; then nothing answers the platform's probe any more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        judge: Callable[[], Sequence[str]],
        stuck_seconds: float,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        """`judge` is called in the loop and gives what is stuck; the loop may take `stuck_seconds` to call it."""
        self._loop = loop
        self._judge = judge
        self._tick = tick_seconds
        self._rounds = max(1, round(stuck_seconds / tick_seconds))
        self._silent = 0
        self._problems: Sequence[str] = ()
        self._found = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.wait(self._tick):
            if self._silent >= self._rounds:
                self._end([f"the event loop has not answered for {self._silent * self._tick:.0f} s"])
            if self._found >= CONFIRMED:
                self._end(self._problems)
            self._silent += 1
            try:
                self._loop.call_soon_threadsafe(self._look)
            except RuntimeError:  # the loop is closed: the process ends anyway
                return

    def _look(self) -> None:
        self._silent = 0
        self._problems = self._judge()
        self._found = self._found + 1 if self._problems else 0

    def _end(self, problems: Sequence[str]) -> None:
        # No lock of a logger may be waited for, and no handler of the loop's.
        text = "".join(f"stuck, the process ends: {problem}\n" for problem in problems)
        os.write(sys.stderr.fileno(), text.encode())
        faulthandler.dump_traceback(sys.stderr, all_threads=True)
        os._exit(EXIT_CODE)
