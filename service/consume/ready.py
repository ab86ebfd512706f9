"""Waits until Kafka answers and the topics are there, before anything joins a group."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from service.backoff import Backoff

log = logging.getLogger(__name__)

_LINES_EVERY = 30.0


async def missing_topics(options: Mapping[str, Any], topics: Collection[str]) -> list[str]:
    """Those of `topics` that the cluster does not have; `KafkaError` or `OSError` when it cannot be asked."""
    admin = AIOKafkaAdminClient(**{"request_timeout_ms": 5000, **options})
    try:
        await admin.start()
        return sorted(set(topics) - set(await admin.list_topics()))
    finally:
        await admin.close()


async def wait_for_kafka(options: Mapping[str, Any], topics: Collection[str]) -> None:
    """Return when the cluster answers and has all `topics` (full names); one line a cause and half a minute."""
    loop = asyncio.get_running_loop()
    backoff, told, told_at = Backoff(0.25), "", 0.0
    while True:
        problem = await _problem(options, topics)
        if problem is None:
            if told:
                log.info("Kafka at %s is there now", options["bootstrap_servers"])
            return
        if problem != told or loop.time() - told_at >= _LINES_EVERY:
            log.warning("waiting: %s", problem)
            told, told_at = problem, loop.time()
        await asyncio.sleep(backoff.next())


async def _problem(options: Mapping[str, Any], topics: Collection[str]) -> str | None:
    try:
        missing = await missing_topics(options, topics)
    except (KafkaError, OSError, TimeoutError) as error:
        return f"Kafka at {options['bootstrap_servers']} does not answer ({error or type(error).__name__})"
    if missing:
        return f"Kafka lacks the topics {', '.join(missing)}; `bookstream topics` creates them"
    return None
