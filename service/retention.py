"""Whether the topics keep records for longer than the inbox remembers what was decided."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from aiokafka.errors import KafkaError

from service.errors import SettingsError
from service.topics import Topics

log = logging.getLogger(__name__)

ASK_SECONDS: Final = 10.0
UNTOLD: Final = (KafkaError, OSError, TimeoutError, ValueError, AssertionError, IndexError)


async def kept_for_longer(
    options: Mapping[str, Any], topics: Collection[str], retention: timedelta
) -> Mapping[str, timedelta | None]:
    """Those of `topics` (full names) with records that outlive the memory of them, and for how long; None is for ever.

    What the cluster does not tell counts as fine. Raises what aiokafka raises.
    """
    async with Topics(options) as cluster:
        configs = await cluster.settings(sorted(topics))
    found: dict[str, timedelta | None] = {}
    for topic, config in configs.items():
        milliseconds = config.get("retention.ms")
        if milliseconds is None or "delete" not in config.get("cleanup.policy", "delete"):
            continue
        kept = timedelta(milliseconds=min(int(milliseconds), 10**14))
        if int(milliseconds) < 0 or kept > retention:
            found[topic] = None if int(milliseconds) < 0 else kept
    return found


def tell(kept: Mapping[str, timedelta | None], retention: timedelta) -> str:
    """Says what is wrong with the settings of these topics."""
    days = {topic: "ever" if time is None else f"{time / timedelta(days=1):g} days" for topic, time in kept.items()}
    topics = ", ".join(f"{topic} for {time}" for topic, time in days.items())
    return (
        f"commands are remembered for {retention.days} days, but their topics keep them for longer ({topics}): "
        "one that is read again after it was forgotten would take effect a second time"
    )


async def refuse_to_forget_too_early(options: Mapping[str, Any], topics: Collection[str], retention: timedelta) -> None:
    """Raises SettingsError when a record of these topics may be read again after it was forgotten."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            kept = await kept_for_longer(options, topics, retention)
    except UNTOLD as error:
        log.warning("Kafka does not tell how long topics keep their records: %r", error)
        return
    if kept:
        raise SettingsError(
            f"BOOKSTREAM_INBOX_RETENTION_DAYS: {tell(kept, retention)}; raise it, or lower the topics' retention.ms"
        )
