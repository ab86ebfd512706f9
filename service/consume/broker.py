"""The FastStream broker: one batch subscriber, without FastStream's own parsing and acknowledging."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from service.record import Record

# Together 30 s: our own wait for the running batch, then FastStream's, which cancels what still runs.
DRAIN_SECONDS = 25.0
_GRACEFUL_SECONDS = 5.0
SESSION_TIMEOUT_MS = 6_000
# Static members keep their partitions while they are away: longer than a restart takes.
STATIC_SESSION_TIMEOUT_MS = 30_000
# Members hear of a rebalance with their next heartbeat, and it waits for the last of them.
HEARTBEAT_MS = 500
REBALANCE_TIMEOUT_MS = 30_000
_DAY_MS = 86_400_000
_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}

Handle = Callable[[Sequence[Record]], Awaitable[None]]


def build_broker(
    *,
    options: Mapping[str, Any],
    topics: Sequence[str],
    group_id: str,
    group_instance_id: str | None = None,
    handle: Handle,
    listener: ConsumerRebalanceListener,
) -> tuple[KafkaBroker, Callable[[], AIOKafkaConsumer | None]]:
    """A broker that feeds the polled records of `topics` (full names) to `handle`, and a look at its consumer.

    `handle` must not raise: FastStream swallows exceptions of handlers and goes on behind the batch.
    """
    broker = _make_broker(options)
    subscriber = broker.subscriber(
        *topics,
        group_id=group_id,
        group_instance_id=group_instance_id,
        batch=True,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=SESSION_TIMEOUT_MS if group_instance_id is None else STATIC_SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        # An outage of PostgreSQL is waited for in the handler; leaving the group for it would help nobody.
        max_poll_interval_ms=_DAY_MS,
        # Range keeps partition i of all command topics on one member, so that one key's commands meet in one process.
        partition_assignment_strategy=(RangePartitionAssignor,),
        # A fetch is answered when there is enough for a batch worth its transaction, or after 10 ms: answered at once,
        # a steady trickle would make transactions of one or two commands each, which take the machine from the rest.
        fetch_min_bytes=32 * 1024,
        fetch_max_wait_ms=10,
        # A poll of ordinary commands takes more than half of it: what is beyond that only lies in memory.
        fetch_max_bytes=3 * 1024 * 1024,
        max_partition_fetch_bytes=512 * 1024,
        listener=listener,
        parser=_thin_parser,
        decoder=_self_decoder,
    )

    @subscriber
    async def handle_batch(message: KafkaMessage) -> None:
        # FastStream's message is part of a cycle, so it lives on until garbage is collected; its records need not.
        records, message.raw_message = message.raw_message, ()
        await handle(records)

    return broker, lambda: _consumer_of(subscriber)


def _make_broker(options: Mapping[str, Any]) -> KafkaBroker:
    return KafkaBroker(
        # FastStream would take a text for one address, commas and all.
        [address.strip() for address in options["bootstrap_servers"].split(",")],
        security=_security(options),
        client_id="bookstream",
        consumer_only=True,
        allow_auto_create_topics=False,
        graceful_timeout=_GRACEFUL_SECONDS,
        apply_types=False,
        logger=logging.getLogger("service.consume.faststream"),
        log_level=logging.DEBUG,
    )


def _security(options: Mapping[str, Any]) -> BaseSecurity:
    """What FastStream makes the same options of."""
    protocol = options.get("security_protocol", "PLAINTEXT")
    encrypted, context = protocol.endswith("SSL"), options.get("ssl_context")
    if not protocol.startswith("SASL"):
        return BaseSecurity(context, encrypted)
    kind = _SASL[options["sasl_mechanism"]]
    return kind(options["sasl_plain_username"], options["sasl_plain_password"], context, encrypted)


def _consumer_of(subscriber: BatchSubscriber) -> AIOKafkaConsumer | None:
    return subscriber.consumer


async def _thin_parser(records: Any, _original: Any) -> KafkaMessage:
    """Wrap the records untouched: FastStream's own parser decodes headers, and loses the whole batch over a bad one."""
    first, last = records[0], records[-1]
    return KafkaMessage(
        raw_message=records,
        body=b"",
        headers={},
        batch_headers=[],
        reply_to="",
        content_type=None,
        correlation_id=None,
        message_id=f"{first.topic}:{first.partition}:{first.offset}-{last.offset}",
        consumer=FAKE_CONSUMER,
    )


async def _self_decoder(message: Any) -> Any:
    return message
