"""`bookstream client`: integrators, and the keys that they sign with."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from schemas.types import Id
from service.cli.database import connected
from service.cli.render import printable
from service.domain.instants import instant_text
from service.errors import ServiceError
from service.settings import load_settings
from service.store.pool import Connection
from service.trust import registry
from service.trust.registry import KNOWN_SCOPES, MOST_SECRETS, Entry, Limits, NoSuchClient, TooManySecrets
from service.trust.sealing import Sealer, load_sealer, settle_sealing

Result = TypeVar("Result")

MAX_NAME: Final = 200
NO_LIMIT: Final = 0
IN_CLEAR: Final = "warning: BOOKSTREAM_ENCRYPTION_KEYS is not set, so who can read the database can read this secret"
_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="JSON, for other programs.")


def _limit(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(name, type=click.IntRange(min=0), help=f"Commands {what}; 0 for no limit.")


@click.group()
def client() -> None:
    """Integrators and their keys. A change reaches every running process within seconds.

    Each subcommand takes --json, for other programs.
    """


@client.command()
@click.argument("name")
@click.option("--account", required=True, help="The account that it acts for, and for no other.")
@click.option("--scopes", required=True, help=f"Separated by commas: {', '.join(KNOWN_SCOPES)}.")
@_limit("--burst", "in a minute")
@_limit("--daily", "in a day (UTC)")
@_JSON
def add(name: str, account: str, scopes: str, burst: int | None, daily: int | None, as_json: bool) -> None:
    """Add a client called NAME, and print its id and its secret. The secret is shown this once."""
    given = [scope.strip() for scope in scopes.split(",")]
    if unknown := sorted(set(given) - set(KNOWN_SCOPES)):
        raise click.BadParameter(
            f"{printable(unknown[0])!r} is none of {', '.join(KNOWN_SCOPES)}", param_hint="--scopes"
        )
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise click.BadParameter(f"expected 1 to {MAX_NAME} printable characters", param_hint="NAME")
    try:
        account_id = _ID.validate_python(account)
    except ValidationError:
        raise click.BadParameter("expected 1 to 64 of A-Z a-z 0-9 . _ : -", param_hint="--account") from None
    limits = Limits(burst or None, daily or None)

    async def work(connection: Connection, sealer: Sealer) -> tuple[str, str]:
        return await registry.add_client(
            connection, sealer, account_id=account_id, name=name, scopes=given, limits=limits
        )

    _tell_secret(*_run_sealed(work), as_json=as_json)


@client.command("list")
@click.option("--account", help="Of this account only.")
@_JSON
def list_(account: str | None, as_json: bool) -> None:
    """List clients, without their secrets."""
    entries = _run(lambda connection: registry.list_clients(connection, account_id=account))
    if as_json:
        click.echo(json.dumps([_members(entry) for entry in entries]))
        return
    for entry in entries:
        click.echo(_line(entry))
    if not entries:
        click.echo("no clients; `bookstream client add` makes one", err=True)


@client.command()
@click.argument("client_id")
@_JSON
def disable(client_id: str, as_json: bool) -> None:
    """Switch CLIENT_ID off: within seconds its commands are refused, those that wait too."""
    _switch(client_id, active=False, as_json=as_json)


@client.command()
@click.argument("client_id")
@_JSON
def enable(client_id: str, as_json: bool) -> None:
    """Switch CLIENT_ID on again."""
    _switch(client_id, active=True, as_json=as_json)


@client.command()
@click.argument("client_id")
@click.option(
    "--overlap",
    type=click.FloatRange(min=0, max=24 * 90),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="How long the secrets so far go on being taken; 0 when one of them has leaked.",
)
@_JSON
def rotate(client_id: str, overlap: float, as_json: bool) -> None:
    """Give CLIENT_ID another secret, and print it this once."""

    async def work(connection: Connection, sealer: Sealer) -> tuple[str, str]:
        try:
            return client_id, await registry.rotate(connection, sealer, client_id, timedelta(hours=overlap))
        except TooManySecrets:
            raise ServiceError(
                f"{MOST_SECRETS} secrets are in use already; wait for one to end, or end them all with --overlap 0"
            ) from None

    _tell_secret(*_run_sealed(work), as_json=as_json)


@client.command()
@click.argument("client_id")
@_limit("--burst", "in a minute")
@_limit("--daily", "in a day (UTC)")
@_JSON
def limits(client_id: str, burst: int | None, daily: int | None, as_json: bool) -> None:
    """Set limits of CLIENT_ID, those that are given, and print both."""

    async def work(connection: Connection) -> Entry:
        found = await registry.list_clients(connection, client_id=client_id)
        if not found:
            raise NoSuchClient(client_id)
        before = found[0].limits
        after = Limits(
            before.burst_per_minute if burst is None else burst or None,
            before.daily_quota if daily is None else daily or None,
        )
        if after != before:
            await registry.set_limits(connection, client_id, after)
        return (await registry.list_clients(connection, client_id=client_id))[0]

    entry = _run(work)
    click.echo(json.dumps(_members(entry)) if as_json else _line(entry))


def _switch(client_id: str, *, active: bool, as_json: bool) -> None:
    _run(lambda connection: registry.set_active(connection, client_id, active=active))
    told = json.dumps({"client_id": client_id, "active": active})
    click.echo(told if as_json else f"{printable(client_id)} is switched {'on' if active else 'off'}")


def _run(work: Callable[[Connection], Awaitable[Result]]) -> Result:
    settings = load_settings()

    async def connected_work() -> Result:
        async with connected(settings, "client") as connection:
            try:
                return await work(connection)
            except NoSuchClient as error:
                raise ServiceError(
                    f"there is no client {printable(str(error))}; `bookstream client list` names them"
                ) from None

    return asyncio.run(connected_work())


def _run_sealed(work: Callable[[Connection, Sealer], Awaitable[Result]]) -> Result:
    keys = load_settings().master_keys

    async def sealed_work(connection: Connection) -> Result:
        if not await settle_sealing(connection, keys):
            click.echo(IN_CLEAR, err=True)
        return await work(connection, await load_sealer(connection, keys))

    return _run(sealed_work)


def _tell_secret(client_id: str, secret: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"client_id": client_id, "secret": secret}))
    else:
        click.echo(f"client_id  {printable(client_id)}\nsecret     {secret}\nThe secret is not shown again.")


def _members(entry: Entry) -> dict[str, Any]:
    return {
        "client_id": entry.client_id,
        "account_id": entry.account_id,
        "name": entry.name,
        "scopes": list(entry.scopes),
        "active": entry.active,
        "burst": entry.limits.burst_per_minute,
        "daily": entry.limits.daily_quota,
        "created_at": instant_text(entry.created_at),
        "secrets": [{"expires_at": None if expiry is None else instant_text(expiry)} for expiry in entry.expiries],
    }


def _line(entry: Entry) -> str:
    limits = entry.limits
    told = [
        f"{entry.client_id}  {'on ' if entry.active else 'off'}  {entry.account_id}  {entry.name}",
        f"{','.join(entry.scopes)}",
        f"burst {limits.burst_per_minute or 'unlimited'}, daily {limits.daily_quota or 'unlimited'}",
        f"{len(entry.expiries)} secret{'' if len(entry.expiries) == 1 else 's'}",
    ]
    return printable("  ".join(told))
