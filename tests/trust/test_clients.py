from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from schemas.signing import secret_key
from service.client import Client
from service.store.pool import Connection
from service.trust.clients import REFRESH_SECONDS, Clients, NotKnownYet
from service.trust.registry import (
    MOST_SECRETS,
    Limits,
    NoSuchClient,
    TooManySecrets,
    add_client,
    list_clients,
    rotate,
    set_active,
    set_limits,
)
from service.trust.sealing import Sealer, load_sealer
from tests.handle.harness import Pool

SCOPES = ["bookings:write"]
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


class Ticks:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The present number of seconds."""
        return self.now


@pytest.fixture
async def sealer(connection: Connection) -> Sealer:
    """The sealer of the test's database."""
    return await load_sealer(connection, ())


async def added(connection: Connection, sealer: Sealer, account_id: str = "acc-1", **limits: int) -> tuple[str, str]:
    """A new client."""
    return await add_client(
        connection, sealer, account_id=account_id, name="POS", scopes=SCOPES, limits=Limits(**limits)
    )


async def known(clients: Clients, pool: Pool, client_id: str) -> Client | None:
    """What a batch with a message of this client would find."""
    await clients.refresh(pool)
    try:
        return clients.find(client_id)
    except NotKnownYet:
        await clients.learn(pool)
        return clients.find(client_id)


def keys(client: Client | None) -> list[bytes]:
    """The secrets of a client."""
    assert client is not None
    return [secret.key for secret in client.secrets]


async def test_a_client_is_read_when_it_is_met(pool: Pool, connection: Connection, sealer: Sealer) -> None:
    """All of it is there, and its secret is the one that was handed out."""
    client_id, secret = await added(connection, sealer, burst_per_minute=70, daily_quota=10_000)
    found = await known(Clients(), pool, client_id)
    assert found is not None
    assert (found.account_id, found.scopes, found.active) == ("acc-1", frozenset(SCOPES), True)
    assert (found.burst_per_minute, found.daily_quota) == (70, 10_000)
    assert keys(found) == [secret_key(secret)]


async def test_known_clients_cost_no_statement(pool: Pool, connection: Connection, sealer: Sealer) -> None:
    """Once met, a client and a name that nobody bears are found without the database."""
    client_id, _ = await added(connection, sealer)
    clients = Clients()
    await known(clients, pool, client_id)
    await known(clients, pool, "c-nobody")
    assert clients.find(client_id) is not None
    assert clients.find("c-nobody") is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE client SET active = false, revision = (SELECT revision FROM client_revision)",
        "disable",
        "limits",
        "rotate",
    ],
)
async def test_changes_are_found(pool: Pool, connection: Connection, sealer: Sealer, change: str) -> None:
    """What is changed is known at the next look, and no later than that is due."""
    ticks = Ticks()
    client_id, _ = await added(connection, sealer)
    clients = Clients(clock=ticks)
    before = await known(clients, pool, client_id)
    match change:
        case "disable":
            await set_active(connection, client_id, active=False)
        case "limits":
            await set_limits(connection, client_id, Limits(1, None))
        case _:
            await rotate(connection, sealer, client_id, timedelta(hours=1))
    ticks.now += REFRESH_SECONDS - 0.01
    assert await known(clients, pool, client_id) == before
    ticks.now += 0.01
    assert await known(clients, pool, client_id) != before


async def test_a_client_that_is_added_after_it_was_missed(pool: Pool, connection: Connection, sealer: Sealer) -> None:
    """A name that nobody bore is asked for again once somebody does."""
    ticks = Ticks()
    clients = Clients(clock=ticks)
    assert await known(clients, pool, "c-new") is None
    client_id, _ = await added(connection, sealer)
    await connection.execute("ALTER TABLE client_secret DROP CONSTRAINT client_secret_account_id_client_id_fkey")
    await connection.execute("UPDATE client SET client_id = 'c-new' WHERE client_id = $1", client_id)
    ticks.now += REFRESH_SECONDS
    assert await known(clients, pool, "c-new") is not None


async def test_the_caches_are_bounded_apart(pool: Pool, connection: Connection, sealer: Sealer) -> None:
    """Names that are made up drive out each other, not those that are real; neither grows without end."""
    client_ids = [(await added(connection, sealer))[0] for _ in range(4)]
    clients = Clients(most=3)
    for client_id in client_ids[:3]:
        await known(clients, pool, client_id)
    for number in range(10):
        assert await known(clients, pool, f"c-nobody-{number}") is None
    for client_id in client_ids[:3]:
        assert clients.find(client_id) is not None
    with pytest.raises(NotKnownYet):
        clients.find("c-nobody-0")
    await known(clients, pool, client_ids[3])
    with pytest.raises(NotKnownYet):
        clients.find(client_ids[0])


async def test_all_that_are_new_are_read_at_once(pool: Pool, connection: Connection, sealer: Sealer) -> None:
    """One statement for every client and every name of a batch."""
    client_ids = [(await added(connection, sealer))[0] for _ in range(3)]
    clients = Clients()
    await clients.refresh(pool)
    for client_id in (*client_ids, *(f"c-nobody-{number}" for number in range(100))):
        with pytest.raises(NotKnownYet):
            clients.find(client_id)
    statements: Sequence[str] = []

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        statements.append(query.query)  # type: ignore[attr-defined]

    async with pool.acquire() as one:
        one.add_query_logger(note)
        await clients.learn(one)  # type: ignore[arg-type]
        one.remove_query_logger(note)
    assert len(statements) == 1
    assert [clients.find(client_id) is not None for client_id in client_ids] == [True] * 3


async def test_an_older_database_makes_everything_forgotten(pool: Pool, connection: Connection, sealer: Sealer) -> None:
    """After a restore nothing that was read before is believed."""
    ticks = Ticks()
    client_id, _ = await added(connection, sealer)
    clients = Clients(clock=ticks)
    await known(clients, pool, client_id)
    await connection.execute("UPDATE client_revision SET revision = 0")
    await connection.execute("DELETE FROM client")
    ticks.now += REFRESH_SECONDS
    assert await known(clients, pool, client_id) is None


async def test_without_postgresql_nobody_is_unknown() -> None:
    """What can't be asked raises: the batch waits instead of refusing."""
    clients = Clients()
    async with asyncpg.create_pool(NOWHERE, min_size=0, max_size=1) as none:
        with pytest.raises(ConnectionRefusedError):
            await clients.refresh(none)
    with pytest.raises(NotKnownYet):
        clients.find("c-1")


async def test_rotation(pool: Pool, connection: Connection, sealer: Sealer) -> None:
    """The old secret ends after the overlap, the new one does not; with none it ends now."""
    client_id, first = await added(connection, sealer)
    second = await rotate(connection, sealer, client_id, timedelta(hours=24))
    found = await known(Clients(), pool, client_id)
    assert keys(found) == [secret_key(first), secret_key(second)]
    assert found is not None
    old, new = found.secrets
    assert new.expires_at is None
    assert old.expires_at is not None
    left = datetime.fromtimestamp(old.expires_at / 1000, UTC) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24, minutes=1)
    third = await rotate(connection, sealer, client_id, timedelta())
    entry = (await list_clients(connection, client_id=client_id))[0]
    assert entry.expiries == (None,)
    found = await known(Clients(), pool, client_id)
    assert keys(found)[-1] == secret_key(third)


async def test_an_overlap_never_lengthens_one(connection: Connection, sealer: Sealer) -> None:
    """A secret that ends soon still does after a rotation with a longer overlap."""
    client_id, _ = await added(connection, sealer)
    await rotate(connection, sealer, client_id, timedelta(hours=1))
    await rotate(connection, sealer, client_id, timedelta(hours=24))
    first, second, third = (await list_clients(connection, client_id=client_id))[0].expiries
    assert first is not None
    assert second is not None
    assert second - first > timedelta(hours=22)
    assert third is None


async def test_secrets_are_few(connection: Connection, sealer: Sealer) -> None:
    """Each secret costs every message of the client something."""
    client_id, _ = await added(connection, sealer)
    for _ in range(MOST_SECRETS - 1):
        await rotate(connection, sealer, client_id, timedelta(hours=1))
    with pytest.raises(TooManySecrets):
        await rotate(connection, sealer, client_id, timedelta(hours=1))
    await rotate(connection, sealer, client_id, timedelta())


async def test_what_nobody_bears_can_not_be_changed(connection: Connection, sealer: Sealer) -> None:
    """The id is told as wrong, and nothing counts as changed."""
    with pytest.raises(NoSuchClient):
        await set_active(connection, "c-0", active=True)
    with pytest.raises(NoSuchClient):
        await set_limits(connection, "c-0", Limits())
    with pytest.raises(NoSuchClient):
        await rotate(connection, sealer, "c-0", timedelta())
    assert await connection.fetchval("SELECT revision FROM client_revision") == 0


async def test_lists_tell_no_secret(connection: Connection, sealer: Sealer) -> None:
    """By account, oldest first."""
    first, secret = await added(connection, sealer)
    second, _ = await added(connection, sealer)
    other, _ = await added(connection, sealer, "acc-2")
    assert [each.client_id for each in await list_clients(connection)] == [first, second, other]
    assert [each.client_id for each in await list_clients(connection, account_id="acc-2")] == [other]
    assert secret not in repr(await list_clients(connection))


async def test_a_secret_in_another_place_does_not_open(pool: Pool, connection: Connection, sealer: Sealer) -> None:
    """Who can write to the database can't give one client the secret of another."""
    first, _ = await added(connection, sealer)
    second, _ = await added(connection, sealer)
    sealed = await connection.fetchval("SELECT sealed FROM client_secret WHERE client_id = $1", first)
    await connection.execute("UPDATE client_secret SET sealed = $1 WHERE client_id = $2", sealed, second)
    assert keys(await known(Clients(), pool, second)) == []


async def test_no_secret_stands_in_the_database(connection: Connection, sealer: Sealer) -> None:
    """Neither as it was handed out nor as bytes."""
    _, secret = await added(connection, sealer)
    sealed = await connection.fetchval("SELECT sealed FROM client_secret")
    assert secret_key(secret) not in sealed
    assert secret.encode() not in sealed
