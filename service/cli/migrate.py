"""`bookstream migrate`: the database's schema."""

import asyncio
import json
from typing import Final

import asyncpg
import click

from service.doctor.database import NEEDED
from service.errors import ServiceError
from service.graphs.loader import load_graphs
from service.settings import Settings, load_settings
from service.store import migrate as migrations
from service.store.grants import grant
from service.store.graph_revision import settle_graphs
from service.trust.sealing import settle_sealing

IN_CLEAR: Final = (
    "warning: BOOKSTREAM_ENCRYPTION_KEYS is not set, so who can read the database can read the secrets in it; "
    "set it and run this again"
)


@click.command()
@click.option("--check", is_flag=True, help="Only tell what is missing; exit code 1 when something is.")
@click.option("--grant-to", metavar="ROLE", help="Give this role what `bookstream run` needs, and no more.")
@click.option("--json", "as_json", is_flag=True, help="The names as JSON, for other programs.")
def migrate(check: bool, grant_to: str | None, as_json: bool) -> None:
    """Bring the database to this version; safe to run by several at once.

    Whoever migrates owns the tables. With --grant-to, another role can run the service without being able to change
    them; the role must be there already.
    """
    if check and grant_to is not None:
        raise click.UsageError("--check changes nothing: leave --grant-to out")
    settings = load_settings()
    url = settings.database_url.get_secret_value()
    try:
        names = asyncio.run(migrations.check(url) if check else migrations.migrate(url))
        if not (check and names):
            asyncio.run(settle_graphs(url, load_graphs(settings.graphs_dir), record=not check))
        sealed = check or asyncio.run(_seal(settings))
        if grant_to is not None:
            asyncio.run(_grant(url, grant_to))
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        raise ServiceError(f"the database can't be migrated: {error}; look at BOOKSTREAM_DATABASE_URL") from error
    if as_json:
        click.echo(json.dumps({"missing" if check else "applied": names}))
    else:
        for name in names:
            click.echo(f"{'missing' if check else 'applied'}  {name}")
        if not names:
            click.echo("the database is at this version")
    if not sealed:
        click.echo(IN_CLEAR, err=True)
    if check and names:
        raise SystemExit(1)


async def _grant(url: str, role: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await grant(connection, role, NEEDED)
    finally:
        await connection.close()


async def _seal(settings: Settings) -> bool:
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        return await settle_sealing(connection, settings.master_keys)
    finally:
        await connection.close()
