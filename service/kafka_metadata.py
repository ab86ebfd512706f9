"""aiokafka asks for metadata in an endless row where a partition has no leader: thousands of times a second.

Neither of its back-offs is on that path, of consumers and producers alike.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.client import AIOKafkaClient

MOST: Final = 10
WITHIN: Final = 0.5
_PACE: Final = "_metadata_pace"


class Pace:
    """Lets `most` through in any `within` seconds; the others wait for their turn."""

    def __init__(
        self,
        most: int = MOST,
        within: float = WITHIN,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._within = within
        self._clock = clock
        self._sleep = sleep
        self._passed: deque[float] = deque(maxlen=most)

    async def wait(self) -> None:
        """Returns when one more may pass."""
        while len(self._passed) == self._passed.maxlen and (rest := self._passed[0] + self._within - self._clock()) > 0:
            await self._sleep(rest)
        self._passed.append(self._clock())


def install() -> None:
    """Pace the metadata requests of each of aiokafka's clients in this process; again is harmless."""
    AIOKafkaClient._metadata_update = _metadata_update  # noqa: SLF001


_original: Final = AIOKafkaClient._metadata_update  # noqa: SLF001


async def _metadata_update(client: AIOKafkaClient, cluster: Any, topics: Any) -> Any:
    pace: Pace = client.__dict__.setdefault(_PACE, Pace())
    await pace.wait()
    return await _original(client, cluster, topics)
