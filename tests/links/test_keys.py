import asyncio
from datetime import UTC, datetime, timedelta

from service.links.keys import REFRESH_SECONDS, Keyring, LinkKeys
from service.links.store import NOTICE, SECRET_BYTES, list_keys, revoke, rotate
from service.trust.sealing import load_sealer
from tests.handle.harness import Pool

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """What the time is."""
        return self.seconds


async def refreshed(pool: Pool) -> LinkKeys:
    """The keys of a process that has just begun."""
    keys = LinkKeys()
    await keys.refresh(pool)
    return keys


def test_the_key_of_a_time() -> None:
    """A key signs from the moment it begins until the next one does; before all of them it is the first."""
    hour = timedelta(hours=1)
    ring = Keyring({1: b"a", 2: b"b", 3: b"c"}, (NOON, NOON + hour, NOON + 2 * hour), (1, 3, 2))
    instant = timedelta(microseconds=1)
    assert [ring.signing(now)[0] for now in (NOON - hour, NOON, NOON + hour - instant)] == [1, 1, 1]
    assert [ring.signing(now)[0] for now in (NOON + hour, NOON + 2 * hour - instant)] == [3, 3]
    assert ring.signing(NOON + 9 * hour) == (2, b"b")


async def test_the_first_key(pool: Pool) -> None:
    """Where there is no key yet, many processes that begin at once agree on one."""
    made = await asyncio.gather(*(refreshed(pool) for _ in range(6)))
    assert len({tuple(keys.ring.secrets.items()) for keys in made}) == 1
    assert [len(secret) for secret in made[0].ring.secrets.values()] == [SECRET_BYTES]
    ((sealed,),) = await pool.fetch("SELECT sealed FROM link_key")
    assert made[0].ring.secrets[1] not in sealed


async def test_a_rotation(pool: Pool) -> None:
    """A new key is known before it begins, and the old one goes on to prove what it signed."""
    before = (await refreshed(pool)).ring
    async with pool.acquire() as connection:
        added = await rotate(connection, await load_sealer(connection, ()))
    after = (await refreshed(pool)).ring
    assert after.secrets.items() > before.secrets.items()
    assert timedelta() < added.begins_at - datetime.now(UTC) <= NOTICE
    assert timedelta(seconds=REFRESH_SECONDS) * 2 < NOTICE
    assert after.signing(added.begins_at - timedelta(microseconds=1)) == before.signing(NOON)
    assert after.signing(added.begins_at)[0] == added.key_id == 2


async def test_rotations_at_once(pool: Pool) -> None:
    """Several who rotate at the same time each make a key."""
    await refreshed(pool)

    async def one() -> int:
        async with pool.acquire() as connection:
            return (await rotate(connection, await load_sealer(connection, ()))).key_id

    assert sorted(await asyncio.gather(*(one() for _ in range(5)))) == [2, 3, 4, 5, 6]


async def test_keys_are_looked_up_now_and_then(pool: Pool) -> None:
    """A process asks again after some seconds, and not before."""
    clock = Clock()
    keys = LinkKeys(clock=clock)
    await keys.refresh(pool)
    async with pool.acquire() as connection:
        await rotate(connection, await load_sealer(connection, ()))
    clock.seconds += REFRESH_SECONDS - 0.001
    await keys.refresh(pool)
    assert set(keys.ring.secrets) == {1}
    clock.seconds += 0.001
    await keys.refresh(pool)
    assert set(keys.ring.secrets) == {1, 2}


async def test_a_revocation(pool: Pool) -> None:
    """A revoked key is gone with its secret, and can't be used to sign or to prove; the others stay."""
    await refreshed(pool)
    async with pool.acquire() as connection:
        second = await rotate(connection, await load_sealer(connection, ()))
        assert await revoke(connection, 1) is None
        await connection.execute("UPDATE link_key SET begins_at = now() WHERE key_id = 2")
        gone = await revoke(connection, 1)
        assert gone is not None
        assert gone.revoked_at is not None
        assert await revoke(connection, 1) is None
        assert await revoke(connection, second.key_id) is None
        assert await revoke(connection, 99) is None
        assert [(key.key_id, key.revoked_at is None) for key in await list_keys(connection)] == [(1, False), (2, True)]
    assert await pool.fetchval("SELECT sealed FROM link_key WHERE key_id = 1") == b""
    ring = (await refreshed(pool)).ring
    assert set(ring.secrets) == {2}
    assert ring.signing(NOON)[0] == 2
    assert "secret" not in repr(ring)
