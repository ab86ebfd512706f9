import asyncio
import base64
import os

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import SettingsError
from service.settings import Settings, load_settings
from service.store.pool import Connection
from service.trust.sealing import KEY_BYTES, NONCE_BYTES, SealBroken, Sealer, load_sealer, settle_sealing

OLD, NEW, OTHER = (bytes([number]) * KEY_BYTES for number in (1, 2, 3))
SECRET = b"the secret of a client"
KEYS = "SELECT key_id, wrapped_by, wrapped FROM sealing_key"


@given(st.binary(max_size=200), st.text(max_size=50))
def test_what_is_sealed_can_be_opened(secret: bytes, purpose: str) -> None:
    """Any secret comes back, and no two seals of it look alike."""
    sealer = Sealer({1: OLD})
    sealed = sealer.seal(secret, purpose)
    assert sealer.open(sealed, purpose) == secret
    assert sealer.seal(secret, purpose) != sealed


def test_a_seal_is_for_one_purpose() -> None:
    """A sealed secret that is put in another place of the database does not open there."""
    sealer = Sealer({1: OLD})
    with pytest.raises(SealBroken, match="not sealed for this"):
        sealer.open(sealer.seal(SECRET, "client/c-1"), "client/c-2")


@pytest.mark.parametrize("place", [1, NONCE_BYTES, 1 + NONCE_BYTES, -1])
def test_an_altered_seal_does_not_open(place: int) -> None:
    """One flipped bit anywhere is noticed."""
    sealer = Sealer({1: OLD})
    sealed = bytearray(sealer.seal(SECRET, "p"))
    sealed[place] ^= 1
    with pytest.raises(SealBroken):
        sealer.open(bytes(sealed), "p")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(NONCE_BYTES), b"\x02" + bytes(60)])
def test_what_is_no_seal_does_not_open(sealed: bytes) -> None:
    """Too short, or of a key that is not there."""
    with pytest.raises(SealBroken):
        Sealer({1: OLD}).open(sealed, "p")


async def test_without_a_key_it_works_and_is_told(connection: Connection) -> None:
    """Secrets are sealed by a key that lies in the database, and whoever migrates is told so."""
    assert not await settle_sealing(connection, ())
    sealed = (await load_sealer(connection, ())).seal(SECRET, "p")
    assert (await load_sealer(connection, ())).open(sealed, "p") == SECRET
    assert SECRET not in sealed


async def test_a_key_that_comes_later_wraps_what_is_there(connection: Connection) -> None:
    """What was sealed before still opens; the data key is no longer in the database."""
    sealed = (await load_sealer(connection, ())).seal(SECRET, "p")
    in_clear = await connection.fetchval("SELECT wrapped FROM sealing_key")
    assert await settle_sealing(connection, (OLD,))
    assert in_clear not in await connection.fetchval("SELECT wrapped FROM sealing_key")
    assert (await load_sealer(connection, (OLD,))).open(sealed, "p") == SECRET
    with pytest.raises(SettingsError, match="BOOKSTREAM_ENCRYPTION_KEYS"):
        await load_sealer(connection, ())


async def test_keys_of_the_environment_are_replaced(connection: Connection) -> None:
    """The new key goes before the old one; once it has wrapped, the old one is not needed any more."""
    sealed = (await load_sealer(connection, (OLD,))).seal(SECRET, "p")
    assert (await load_sealer(connection, (NEW, OLD))).open(sealed, "p") == SECRET
    assert await settle_sealing(connection, (NEW, OLD))
    assert (await load_sealer(connection, (NEW,))).open(sealed, "p") == SECRET
    with pytest.raises(SettingsError):
        await settle_sealing(connection, (OLD,))


async def test_settling_again_changes_nothing(connection: Connection) -> None:
    """A second run finds it all settled."""
    await settle_sealing(connection, (OLD,))
    before = await connection.fetch(KEYS)
    await settle_sealing(connection, (OLD,))
    assert await connection.fetch(KEYS) == before


async def test_a_wrapped_key_that_was_altered_is_told(connection: Connection) -> None:
    """It is a matter for a backup."""
    await settle_sealing(connection, (OLD,))
    await connection.execute("UPDATE sealing_key SET wrapped = wrapped || 'x'")
    with pytest.raises(SettingsError, match="altered"):
        await load_sealer(connection, (OLD,))


async def test_processes_that_start_at_once_share_one_key(database_url: str) -> None:
    """What the one seals the other opens, whoever made the key."""
    connections = [await asyncpg.connect(database_url) for _ in range(4)]
    try:
        sealers = await asyncio.gather(*(load_sealer(each, (OLD,)) for each in connections))
    finally:
        for each in connections:
            await each.close()
    sealed = sealers[0].seal(SECRET, "p")
    assert {sealer.open(sealed, "p") for sealer in sealers} == {SECRET}


def test_keys_never_show() -> None:
    """Neither a sealer nor the settings tell a key in their representation."""
    text = base64.b64encode(OTHER).decode()
    settings = Settings(encryption_keys=text)
    assert settings.master_keys == (OTHER,)
    assert text not in repr(settings)
    assert repr(OTHER) not in repr(Sealer({1: OTHER}))


@pytest.mark.parametrize(
    "wrong", ["x", "AAAA", base64.b64encode(bytes(31)).decode(), base64.b64encode(bytes(33)).decode()]
)
def test_a_key_of_another_size_is_refused(wrong: str) -> None:
    """The setting is named, its value is not told."""
    with pytest.raises(SettingsError, match="BOOKSTREAM_ENCRYPTION_KEYS") as caught:
        load_settings(encryption_keys=wrong)
    assert wrong not in str(caught.value) or wrong == "x"


def test_several_keys_are_separated_by_blanks() -> None:
    """The first is for new secrets."""
    keys = [os.urandom(KEY_BYTES) for _ in range(2)]
    text = " ".join(base64.b64encode(key).decode() for key in keys)
    assert load_settings(encryption_keys=text).master_keys == tuple(keys)
    assert load_settings().master_keys == ()
