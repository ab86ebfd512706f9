"""How far longer work is, on standard error: one line that changes on a terminal, a line now and then elsewhere."""

import sys
import time
from dataclasses import dataclass, field
from typing import Final

import click

ON_TERMINAL_SECONDS: Final = 0.2
ELSEWHERE_SECONDS: Final = 5.0


@dataclass(slots=True)
class Progress:
    """Tells what it is given, but not more often than somebody wants to read it."""

    on_terminal: bool = field(default_factory=sys.stderr.isatty)
    _told: float = field(default_factory=time.monotonic)
    _open: bool = False

    def tell(self, text: str) -> None:
        """Tell it, unless something was told just now."""
        now = time.monotonic()
        if now - self._told < (ON_TERMINAL_SECONDS if self.on_terminal else ELSEWHERE_SECONDS):
            return
        self._told = now
        self._open = self.on_terminal
        click.echo(f"\r{text}\033[K" if self.on_terminal else f"... {text}", err=True, nl=not self.on_terminal)

    def end(self) -> None:
        """Close the line."""
        if self._open:
            click.echo(err=True)
            self._open = False
