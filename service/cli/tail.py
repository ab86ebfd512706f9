"""`bookstream tail`: follows events, results and dead letters."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import click

from service.cli.connect import Target, find_target, kafka_options
from service.cli.follow import Follower, Kind, Seen
from service.cli.render import as_json, printable, says, subject, time_text

COLOURS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "changed": "green",
        "snapshot": "green",
        "accepted": "cyan",
        "refused": "yellow",
        "dead letter": "red",
        "other": "magenta",
    }
)
POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is shown, and when it ends."""

    account: str | None
    key: str | None
    count: int | None
    idle: float | None

    def shows(self, seen: Seen) -> bool:
        """Whether the filters let a record through."""
        if self.account is not None and seen.aggregate[0] != self.account:
            return False
        return self.key is None or (seen.key is not None and seen.key == self.key.encode())


@click.command("tail")
@kafka_options
@click.option("--from-beginning", is_flag=True, help="Show first what lies in the topics already.")
@click.option("--account", help="Only what is about this account.")
@click.option("--key", help="Only records with this key: a booking's or visit's id.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N records.")
@click.option("--idle", type=click.FloatRange(min=0), metavar="SECONDS", help="End when nothing came for so long.")
@click.option("--json", "as_lines_of_json", is_flag=True, help="Whole records as lines of JSON, for other programs.")
def tail(
    bootstrap: str | None,
    prefix: str | None,
    from_beginning: bool,
    account: str | None,
    key: str | None,
    count: int | None,
    idle: float | None,
    as_lines_of_json: bool,
) -> None:
    """Follow events, results and dead letters, one line each, from now on.

    A line says when (UTC), what, about whom, the version, the state change, who did it and what changed, or why a
    command was refused. Ctrl-C ends it. Nothing is consumed: any number may follow, and no group is joined.

    \b
    Examples:
      bookstream tail
      bookstream tail --key b-1001 --from-beginning --idle 1
      bookstream tail --json --account acc-1 | jq .value.to_state
    """  # noqa: D301 (click reads the escape)
    target = find_target(bootstrap, prefix)
    wanted = Wanted(account, key, count, idle)
    try:
        asyncio.run(_follow(target, wanted, from_beginning=from_beginning, as_lines_of_json=as_lines_of_json))
    except KeyboardInterrupt:
        return


async def _follow(target: Target, wanted: Wanted, *, from_beginning: bool, as_lines_of_json: bool) -> None:
    shown, last = 0, time.monotonic()
    async with Follower(target, from_beginning=from_beginning) as follower:
        while wanted.idle is None or time.monotonic() - last < wanted.idle:
            for seen in await follower.read(_patience(wanted)):
                last = time.monotonic()
                if not wanted.shows(seen):
                    continue
                _show(as_json(seen) if as_lines_of_json else line(seen))
                shown += 1
                if shown == wanted.count:
                    return


def _patience(wanted: Wanted) -> float:
    return POLL_SECONDS if wanted.idle is None else min(POLL_SECONDS, max(wanted.idle / 2, 0.01))


def line(seen: Seen) -> str:
    """One record in one line, coloured by what it is."""
    what = click.style(f"{seen.kind:<11}", fg=COLOURS[seen.kind])
    about = click.style(printable(subject(seen)), bold=True)
    return f"{time_text(seen)}  {what}  {about}  {printable(says(seen))}"


def _show(text: str) -> None:
    """Colours are for terminals, and for those who have not asked to be spared (NO_COLOR)."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
