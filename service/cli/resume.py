"""`bookstream resume`: consumption goes on in all processes."""

import asyncio
import json

import click

from service.cli.database import connected
from service.cli.pause import caller, members
from service.cli.render import printable
from service.domain.instants import instant_text
from service.settings import Settings, load_settings
from service.store.pause import Pause, end_pause


@click.command()
@click.option("--by", default=caller, help="Who.  [default: user and machine]")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def resume(by: str, as_json: bool) -> None:
    """Go on consuming, in all processes and within a few seconds.

    Whether too many commands end in internal_error is counted anew from here. What became a dead letter before the
    pause can be sent again with `bookstream dlq replay`.
    """
    ended = asyncio.run(_resume(load_settings(), by))
    if as_json:
        click.echo(json.dumps({"paused": False, "ended": None if ended is None else members(ended)}))
    elif ended is None:
        click.echo("consumption was not paused")
    else:
        since = instant_text(ended.since.replace(microsecond=0))
        click.echo(printable(f"consumption goes on; it was paused since {since} by {ended.by}: {ended.reason}"))


async def _resume(settings: Settings, by: str) -> Pause | None:
    async with connected(settings, "resume") as connection:
        return await end_pause(connection, by)
