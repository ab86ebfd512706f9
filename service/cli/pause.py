"""`bookstream pause`: consumption stops in all processes."""

import asyncio
import getpass
import json
import socket
from typing import Any, Final

import click

from service.cli.database import connected
from service.cli.render import printable
from service.domain.instants import instant_text
from service.settings import Settings, load_settings
from service.store.pause import Pause, batches_ended, begin_pause, current_pause

RUNNING_BATCHES: Final = 30.0


def caller() -> str:
    """Names who calls, as far as this machine knows."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "?"
    return f"{user}@{socket.gethostname()}"


def members(pause: Pause | None) -> dict[str, Any]:
    """A pause as JSON values, or that there is none."""
    if pause is None:
        return {"paused": False}
    return {"paused": True, "reason": pause.reason, "by": pause.by, "since": instant_text(pause.since)}


@click.command()
@click.option("--reason", default="no reason given", show_default=True, help="Why, for whoever asks.")
@click.option("--by", default=caller, help="Who.  [default: user and machine]")
@click.option("--status", is_flag=True, help="Only tell whether consumption is paused.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def pause(reason: str, by: str, status: bool, as_json: bool) -> None:
    """Stop consuming commands, in all processes and until `bookstream resume`.

    When this returns, no command is applied any more. The processes keep their partitions, their readiness says that
    consumption is paused, and what is sent waits in Kafka. The relay goes on publishing what was applied, and the clock
    sending timers that are due, which wait too. A pause that is on already stands as it is.

    \b
    Examples:
      bookstream pause --reason "moving the database"
      bookstream pause --status --json
    """  # noqa: D301 (click reads the escape)
    settings = load_settings()
    found, begun, ended = asyncio.run(_status(settings) if status else _pause(settings, reason, by))
    if as_json:
        click.echo(json.dumps({**members(found), **({} if status else {"begun": begun, "batches_ended": ended})}))
    else:
        click.echo("consumption is not paused" if found is None else printable(str(found)))
    if not ended:
        told = f"a batch that had begun before still runs after {RUNNING_BATCHES:g} s; it ends or fails by itself"
        click.echo(told, err=True)


async def _status(settings: Settings) -> tuple[Pause | None, bool, bool]:
    async with connected(settings, "pause") as connection:
        return await current_pause(connection), False, True


async def _pause(settings: Settings, reason: str, by: str) -> tuple[Pause | None, bool, bool]:
    async with connected(settings, "pause") as connection:
        begun = await begin_pause(connection, reason, by)
        return await current_pause(connection), begun, await batches_ended(connection, RUNNING_BATCHES)
