"""`bookstream resync`: snapshots for late consumers."""

import asyncio
import json
import re
from datetime import datetime

import click

from service.cli.database import connected
from service.cli.moment import moment
from service.cli.progress import Progress
from service.errors import ServiceError
from service.graphs.loader import load_graphs
from service.resync.bookmark import Bookmark, Selection, begin, unfinished
from service.resync.resync import MOST_WAITING, Resync, Tell
from service.settings import Settings, load_settings


def _rate(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Reads so many a second: `500` or `500/s`."""
    del ctx, param
    found = None if value is None else re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)(?:/s)?", value, re.ASCII)
    if value is not None and (found is None or not float(found[1])):
        raise click.BadParameter(f"{value!r} is no number of snapshots a second, such as 500 or 500/s")
    return None if found is None else float(found[1])


@click.command()
@click.option("--account", help="Only this account.")
@click.option("--location", help="Only what is at this location now.")
@click.option("--kind", type=click.Choice(("booking", "visit")), help="Only bookings, or only visits.")
@click.option("--changed-since", callback=moment, metavar="TIME", help="Only what changed at this time or later.")
@click.option("--rate", callback=_rate, metavar="N/s", help="At most so many snapshots a second.  [default: no bound]")
@click.option("--resume", is_flag=True, help="Go on with the newest resync that was interrupted.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def resync(
    account: str | None,
    location: str | None,
    kind: str | None,
    changed_since: datetime | None,
    rate: float | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Publish bookings and visits as they stand, for consumers that start late or have lost their store.

    The snapshots go to the events topics, each between the changes of its booking or visit where it belongs; a consumer
    that follows the topics from before the start has everything when they are through. The service may run meanwhile,
    and its relay must: it publishes them, and while it is behind this command waits. Interrupt it at any time, and go
    on with --resume.

    \b
    Examples:
      bookstream resync --account acc-1 --rate 500/s
      bookstream resync --kind visit --changed-since 2026-12-01T00:00:00Z
      bookstream resync --resume
    """  # noqa: D301 (click reads the escape)
    settings = load_settings()
    kinds = ("booking", "visit") if kind is None else (kind,)
    selection = Selection(kinds, account, location, changed_since)
    if resume and selection != Selection():
        raise click.UsageError("--resume goes on with what was chosen before: leave the other filters out")
    progress = Progress()
    try:
        bookmark = asyncio.run(_resync(settings, None if resume else selection, rate, progress))
    except KeyboardInterrupt:
        progress.end()
        raise click.ClickException("interrupted; `bookstream resync --resume` goes on from here") from None
    progress.end()
    if as_json:
        members = {"resync_id": bookmark.resync_id, "published": bookmark.published, "total": bookmark.total}
        click.echo(json.dumps(members))
    else:
        click.echo(f"{bookmark.published} snapshots are published or on their way (resync {bookmark.resync_id})")


async def _resync(settings: Settings, selection: Selection | None, rate: float | None, progress: Progress) -> Bookmark:
    graphs = load_graphs(settings.graphs_dir)
    async with connected(settings, "resync") as connection:
        bookmark = await unfinished(connection) if selection is None else await begin(connection, selection)
        if bookmark is None:
            raise ServiceError("no resync was interrupted; leave --resume out to begin one")
        await Resync(connection, graphs, bookmark, rate=rate, tell=_telling(progress)).run()
        return bookmark


def _telling(progress: Progress) -> Tell:
    return lambda bookmark, waiting: progress.tell(told(bookmark, waiting))


def told(bookmark: Bookmark, waiting: int) -> str:
    """How far a resync is."""
    share = 100 * bookmark.published // max(bookmark.total, 1)
    text = f"{bookmark.published} of {bookmark.total} ({min(share, 100)} %)"
    if waiting >= MOST_WAITING // 2:
        text += f", {waiting} snapshots wait for the relay"
    return text
