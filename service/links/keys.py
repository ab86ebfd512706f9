"""The keys that sign links: which one signs at a time, which still prove what they signed.

A key is published a while before it begins, and every process looks for new ones more often than that: when a token
comes that a new key has signed, everybody knows the key. Which key signs is told by the command's append time, not by
the clock, so that a command that is applied again after a restore gives the same token.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg

from service.links.store import load_keys
from service.trust.sealing import Sealer, load_sealer

REFRESH_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys that are not revoked; `begins` and `order` are in the order in which the keys begin."""

    secrets: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    begins: tuple[datetime, ...] = ()
    order: tuple[int, ...] = ()

    def signing(self, now: datetime) -> tuple[int, bytes]:
        """Gives the key that signs at this time; before the first one began it is the first. Raises LookupError."""
        key_id = self.order[max(0, bisect_right(self.begins, now) - 1)]
        return key_id, self.secrets[key_id]


class LinkKeys:
    """The keyring of this process, looked up again every few seconds; use it from one event loop."""

    def __init__(self, environment_keys: Sequence[bytes] = (), clock: Callable[[], float] = time.monotonic) -> None:
        """`environment_keys` open what seals them in the database; `clock` counts seconds."""
        self.ring = Keyring()
        self._environment_keys = environment_keys
        self._sealer: Sealer | None = None
        self._clock = clock
        self._looked_at: float | None = None

    async def refresh(self, pool: "asyncpg.Pool[Any]") -> None:
        """Looks the keys up where they are older than that.

        Raises what the database raises, SettingsError where the environment lacks the key that opens them.
        """
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < REFRESH_SECONDS:
            return
        async with pool.acquire() as connection:
            if self._sealer is None:
                self._sealer = await load_sealer(connection, self._environment_keys)
            keys = sorted(await load_keys(connection, self._sealer), key=lambda key: (key.begins_at, key.key_id))
        self.ring = Keyring(
            {key.key_id: key.secret for key in keys},
            tuple(key.begins_at for key in keys),
            tuple(key.key_id for key in keys),
        )
        self._looked_at = now
