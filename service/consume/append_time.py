"""Signatures are judged by the time at which the broker appended a record, so the topics must bear that time."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.errors import KafkaError

from service.errors import ServiceError
from service.topics import LOG_APPEND_TIME, TIMESTAMP_TYPE, Topics, untold

log = logging.getLogger(__name__)


async def require_append_time(options: Mapping[str, Any], topics: Sequence[str]) -> None:
    """Raises ServiceError where a topic bears its senders' times: they could make a stale message look fresh."""
    try:
        async with Topics(options) as cluster:
            found = await cluster.settings(topics)
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("whether the topics bear the broker's append time can't be asked, going on: %r", error)
        return
    wrong = sorted(
        name for name, config in found.items() if config.get(TIMESTAMP_TYPE, LOG_APPEND_TIME) != LOG_APPEND_TIME
    )
    if hidden := untold(topics, found):
        log.warning(
            "the brokers don't tell whether the records of %s bear the broker's append time (%s), by which signatures "
            "are judged; let this user describe the topics' settings (ACL DescribeConfigs)",
            ", ".join(hidden),
            TIMESTAMP_TYPE,
        )
    if wrong:
        raise ServiceError(
            f"signed commands are judged by the broker's append time, which the records of {', '.join(wrong)} don't "
            f"bear; set {TIMESTAMP_TYPE}={LOG_APPEND_TIME} on the topics (kafka-configs.sh --alter)"
        )
