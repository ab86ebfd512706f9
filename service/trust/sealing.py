"""Seals secrets that the database has to give back: AES-256-GCM with a data key, wrapped by a key of the environment.

Without BOOKSTREAM_ENCRYPTION_KEYS the data key lies in the database in clear: secrets are then kept from a glance, not
from who can read the database. `bookstream migrate` wraps it as soon as there is a key, and wraps it anew when another
key comes first; nothing that was sealed changes by that.
"""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.errors import SettingsError
from service.store.pool import Connection

log = logging.getLogger(__name__)

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
CURRENT: Final = 1
_WRAPPING: Final = b"bookstream sealing key"
READ: Final = "SELECT key_id, wrapped_by, wrapped FROM sealing_key ORDER BY key_id"
MAKE: Final = "INSERT INTO sealing_key (key_id, wrapped_by, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
WRAP_ANEW: Final = "UPDATE sealing_key SET wrapped_by = $2, wrapped = $3 WHERE key_id = $1 AND wrapped = $4"
IN_CLEAR: Final = "SELECT EXISTS (SELECT FROM sealing_key WHERE wrapped_by IS NULL)"


class SealBroken(Exception):
    """What was to be opened was not sealed for this, or not with a key that is known here."""


class Sealer:
    """Seals and opens; holds the data keys of one database."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    def __repr__(self) -> str:
        return f"Sealer({len(self._ciphers)} keys)"

    def seal(self, secret: bytes, purpose: str) -> bytes:
        """Seals a secret for one purpose (its place, such as the id of its row), without which it can't be opened."""
        nonce = os.urandom(NONCE_BYTES)
        return bytes([CURRENT]) + nonce + self._ciphers[CURRENT].encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Opens what was sealed for this purpose; raises SealBroken."""
        cipher = self._ciphers.get(sealed[0]) if sealed else None
        if cipher is None:
            raise SealBroken("it was sealed with a key that this database does not have")
        try:
            return cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken("it was not sealed for this, or has been altered") from error


async def load_sealer(connection: Connection, environment_keys: Sequence[bytes]) -> Sealer:
    """Reads the data keys of the database, or makes the first; raises SettingsError where one can't be unwrapped."""
    rows = await connection.fetch(READ)
    if not rows:
        await connection.execute(MAKE, CURRENT, *_wrap(os.urandom(KEY_BYTES), environment_keys))
        rows = await connection.fetch(READ)
    return Sealer({row[0]: _unwrap(row[1], row[2], environment_keys) for row in rows})


async def settle_sealing(connection: Connection, environment_keys: Sequence[bytes]) -> bool:
    """Makes the data key where there is none, and sees to it that the first key of the environment wraps it.

    False when it lies in the database in clear. Raises SettingsError when it is wrapped by a key that is not given.
    """
    await load_sealer(connection, environment_keys)
    for key_id, wrapped_by, wrapped in await connection.fetch(READ) if environment_keys else ():
        if wrapped_by != _name(environment_keys[0]):
            key = _unwrap(wrapped_by, wrapped, environment_keys)
            await connection.execute(WRAP_ANEW, key_id, *_wrap(key, environment_keys), wrapped)
    return not await connection.fetchval(IN_CLEAR)


def _wrap(key: bytes, environment_keys: Sequence[bytes]) -> tuple[str | None, bytes]:
    if not environment_keys:
        return None, key
    nonce = os.urandom(NONCE_BYTES)
    return _name(environment_keys[0]), nonce + AESGCM(environment_keys[0]).encrypt(nonce, key, _WRAPPING)


def _unwrap(wrapped_by: str | None, wrapped: bytes, environment_keys: Sequence[bytes]) -> bytes:
    if wrapped_by is None:
        return wrapped
    for key in environment_keys:
        if _name(key) == wrapped_by:
            try:
                return AESGCM(key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _WRAPPING)
            except InvalidTag as error:
                raise SettingsError("the sealing key in the database has been altered; restore a backup") from error
    raise SettingsError(
        f"BOOKSTREAM_ENCRYPTION_KEYS: the secrets in the database are sealed with key {wrapped_by}, which is not among "
        "those given; add it behind the new one, until `bookstream migrate` has run with both"
    )


def _name(key: bytes) -> str:
    """Names a key without telling it: 64 bits of a hash of 256 random ones."""
    return hashlib.sha256(b"bookstream key name" + key).hexdigest()[:16]
