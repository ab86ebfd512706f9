"""The role worker: records are consumed, handled and remembered. A part of the composition root.

A process without this role does without this module, and all that only a worker needs.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

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
    signed = settings.signing == "required"
    if not signed:
        log.warning("BOOKSTREAM_SIGNING=off: whoever can write to the command topics is believed; for local work only")
    transaction = BatchTransaction(
        parts.pool,
        load_graphs(settings.graphs_dir),
        reply_topics=settings.reply_topics,
        clock=lambda: datetime.now(UTC),
        stop_ratio=settings.stop_ratio,
        clients=Clients(settings.master_keys) if signed else None,
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
        append_time=signed,
        meters=parts.meters,
        pulse=pulse,
    )


def hooks_of(consumer: Consumer, settings: Settings) -> dict[str, Any]:
    """What FastStream calls around the consumer's life."""

    async def topics_are_remembered() -> None:
        await refuse_to_forget_too_early(
            settings.kafka_options(),
            [settings.topic_prefix + topic for topic in CONSUMED_TOPICS],
            settings.inbox_retention,
        )

    return {
        "on_startup": [consumer.prepare, topics_are_remembered],
        "after_startup": [consumer.started],
        "on_shutdown": [consumer.drain],
    }
