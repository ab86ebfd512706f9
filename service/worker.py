"""The role worker: records are consumed, handled and remembered. A part of the composition root.

A process without this role does without this module, and all that only a worker needs.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from service.consume.append_time import require_append_time
from service.consume.consumer import Consumer
from service.graphs.loader import load_graphs
from service.handle.batch import BatchTransaction
from service.links.keys import LinkKeys
from service.parts import Parts
from service.retention import refuse_to_forget_too_early
from service.settings import Settings
from service.telemetry.pulse import Pulse
from service.topics import CONSUMED_TOPICS
from service.trust.clients import Clients

log = logging.getLogger(__name__)


def build_consumer(settings: Settings, parts: Parts, wake: Callable[[], None], number: int) -> Consumer:
    """Wires the role worker of one process, the `number`th beside others."""
    pulse = Pulse()
    # Each process beside this one is a member of its own.
    instance = f"{settings.group_instance_id}-{number}" if settings.group_instance_id else None
    transaction = BatchTransaction(
        parts.pool,
        load_graphs(settings.graphs_dir),
        reply_topics=settings.reply_topics,
        clock=lambda: datetime.now(UTC),
        stop_ratio=settings.stop_ratio,
        clients=Clients(settings.master_keys) if settings.signing == "required" else None,
        meters=parts.meters,
        pulse=pulse,
        traces=parts.traces,
        link_keys=LinkKeys(settings.master_keys),
    )
    return Consumer(
        options=settings.kafka_options(),
        pool=parts.pool,
        transaction=transaction,
        topics=CONSUMED_TOPICS,
        group_id=settings.group_id,
        group_instance_id=instance,
        prefix=settings.topic_prefix,
        wake=wake,
        meters=parts.meters,
        pulse=pulse,
    )


def hooks_of(consumer: Consumer, others_begin: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """What FastStream calls around the consumer's life; `others_begin` when Kafka and its topics are there."""
    return {
        "on_startup": [consumer.prepare, others_begin],
        "after_startup": [consumer.started],
        "on_shutdown": [consumer.drain],
    }


async def refuse_unfit_topics(settings: Settings) -> None:
    """What every worker would find wrong with the topics is found once, before others begin beside the first.

    Raises ServiceError where they don't bear the times that signatures are judged by, SettingsError where commands
    would be forgotten too early.
    """
    options, topics = settings.kafka_options(), [settings.topic_prefix + topic for topic in CONSUMED_TOPICS]
    if settings.signing == "required":
        await require_append_time(options, topics)
    else:
        log.warning("BOOKSTREAM_SIGNING=off: whoever can write to the command topics is believed; for local work only")
    await refuse_to_forget_too_early(options, topics, settings.inbox_retention)
