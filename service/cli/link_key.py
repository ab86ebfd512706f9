"""`bookstream link-key`: the keys that sign action links."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from service.cli.database import connected
from service.domain.instants import instant_text
from service.errors import ServiceError
from service.links import store
from service.links.store import KeyRow
from service.settings import Settings, load_settings
from service.trust.sealing import load_sealer


@click.group(name="link-key")
def link_key() -> None:
    """The keys that sign the tokens of action links; each of these takes --json.

    A key signs from the time at which it begins until the next one does, and proves what it signed for as long as those
    links live, unless it is revoked.
    """


@link_key.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="The keys as JSON, for other programs.")
def list_keys(as_json: bool) -> None:
    """List every key there ever was, without its secret."""
    _tell(asyncio.run(_list(load_settings())), as_json=as_json)


@link_key.command()
@click.option("--json", "as_json", is_flag=True, help="The new key as JSON, for other programs.")
def rotate(as_json: bool) -> None:
    """Add a key, which takes over in some seconds, when every process knows it. Links of the old ones live on."""
    _tell([asyncio.run(_rotate(load_settings()))], as_json=as_json)


@link_key.command()
@click.argument("key_id", metavar="KEY", type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="The key as JSON, for other programs.")
def revoke(key_id: int, as_json: bool) -> None:
    """End KEY and every link that it signed, in all processes within seconds; for a key that others have come to know.

    Rotate first: another key must have begun.
    """
    _tell([asyncio.run(_revoke(load_settings(), key_id))], as_json=as_json)


async def _list(settings: Settings) -> list[KeyRow]:
    async with connected(settings, "link-key") as connection:
        return await store.list_keys(connection)


async def _rotate(settings: Settings) -> KeyRow:
    async with connected(settings, "link-key") as connection:
        return await store.rotate(connection, await load_sealer(connection, settings.master_keys))


async def _revoke(settings: Settings, key_id: int) -> KeyRow:
    async with connected(settings, "link-key") as connection:
        revoked = await store.revoke(connection, key_id)
    if revoked is None:
        raise ServiceError(
            f"key {key_id} can't be revoked: there is no such key, it is revoked already, or no other one has begun; "
            "look at `bookstream link-key list`, and `bookstream link-key rotate` first"
        )
    return revoked


def _tell(keys: Sequence[KeyRow], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_members(key) for key in keys]))
        return
    for key in keys:
        end = "" if key.revoked_at is None else f", revoked at {instant_text(key.revoked_at)}"
        begins = "begins" if key.begins_at > datetime.now(UTC) else "began"
        click.echo(f"key {key.key_id}  {begins} at {instant_text(key.begins_at)}{end}")
    if not keys:
        click.echo("there is no key yet; the first worker that starts makes one")


def _members(key: KeyRow) -> dict[str, object]:
    revoked_at = None if key.revoked_at is None else instant_text(key.revoked_at)
    return {"key_id": key.key_id, "begins_at": instant_text(key.begins_at), "revoked_at": revoked_at}
