"""Where the demo is shown: a terminal with colours, or plain lines."""

import importlib.util
import sys
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final, Protocol

import click

from service.cli.demo.tell import Line, Tone

Pairs = Sequence[tuple[str, str]]


class Screen(Protocol):
    """What the demo can show."""

    def say(self, text: str) -> None:
        """Tell what goes on."""

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""

    def lines(self, lines: Iterable[Line]) -> None:
        """Show commands and what they became."""

    def table(self, title: str, rows: Pairs) -> None:
        """Show figures."""

    def steps(self, title: str, rows: Pairs) -> None:
        """Show what to try, each with the words to type, which stay in one piece."""

    def problem(self, text: str) -> None:
        """Tell what is not as it should be."""


def choose_screen(*, terminal: bool) -> Screen:
    """Takes the colourful one where there is a terminal and the library for it."""
    if terminal and importlib.util.find_spec("rich") is not None:
        return RichScreen()
    return PlainScreen()


class PlainScreen:
    """Lines of text."""

    def say(self, text: str) -> None:
        """Tell what goes on."""
        click.echo(text)

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        click.echo(f"\n{title}")

    def lines(self, lines: Iterable[Line]) -> None:
        """Show commands and what they became."""
        for line in lines:
            click.echo(line.text)

    def table(self, title: str, rows: Pairs) -> None:
        """Show figures."""
        click.echo(f"\n{title}")
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            click.echo(f"  {name:<{width}}  {value}")

    def steps(self, title: str, rows: Pairs) -> None:
        """Show what to try."""
        click.echo(f"\n{title}")
        for name, words in rows:
            click.echo(f"  # {name}\n  {words}")

    def problem(self, text: str) -> None:
        """Tell what is not as it should be."""
        click.echo(text, err=True)


class RichScreen:
    """A terminal; long lines are cut at its edge, except those that are to be copied."""

    STYLES: Final = MappingProxyType[Tone, str](
        {
            "command": "bold",
            "event": "green",
            "same": "cyan",
            "refused": "yellow",
            "dead letter": "red",
            "wrong": "bold red",
        }
    )

    def __init__(self) -> None:
        # Imported here: it comes with the extra `demo` alone.
        from rich import box, console, table, text  # noqa: PLC0415

        self._text, self._table, self._box = text.Text, table.Table, box.SIMPLE
        self._console = console.Console(file=sys.stdout, highlight=False)

    def say(self, text: str) -> None:
        """Tell what goes on."""
        self._console.print(self._text(text, style="dim"))

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.print(self._text(title, style="bold magenta"))

    def lines(self, lines: Iterable[Line]) -> None:
        """Show commands and what they became."""
        for line in lines:
            text = self._text(line.text, style=self.STYLES[line.tone])
            self._console.print(text, no_wrap=True, overflow="ellipsis", crop=True)

    def table(self, title: str, rows: Pairs) -> None:
        """Show figures."""
        table = self._table(title=title, title_justify="left", title_style="bold", box=self._box, show_header=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for name, value in rows:
            table.add_row(self._text(name), self._text(value))
        self._console.print()
        self._console.print(table)

    def steps(self, title: str, rows: Pairs) -> None:
        """Show what to try."""
        self._console.print(self._text(title, style="bold"))
        for name, words in rows:
            self._console.print(self._text(f"  # {name}", style="dim"))
            self._console.print(self._text(f"  {words}", style="green"), soft_wrap=True)

    def problem(self, text: str) -> None:
        """Tell what is not as it should be."""
        self._console.print(self._text(text, style="bold red"))
