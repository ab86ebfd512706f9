"""Where Kafka is: the options that commands share, and what is said when it does not answer."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from service import kafka_bootstrap, kafka_metadata
from service.consume.ready import missing_topics
from service.errors import SettingsError
from service.kafka_security import complaints
from service.settings import load_settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster, and the prefix of the service's topics on it."""

    bootstrap: str
    prefix: str
    security: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """What every client of the cluster is given."""
        return {"bootstrap_servers": self.bootstrap, **self.security}


def kafka_options(command: Decorated) -> Decorated:
    """Adds --bootstrap and --prefix to a command."""
    bootstrap = click.option(
        "--bootstrap", metavar="HOST:PORT", help="Address of Kafka.  [default: BOOKSTREAM_KAFKA_BOOTSTRAP]"
    )
    prefix = click.option("--prefix", help="Prefix of the topics.  [default: BOOKSTREAM_TOPIC_PREFIX]")
    return bootstrap(prefix(command))


def find_target(bootstrap: str | None, prefix: str | None) -> Target:
    """Takes the options where they are given and the settings elsewhere; a wrong one is wrong use."""
    given = {"kafka_bootstrap": bootstrap, "topic_prefix": prefix}
    try:
        settings = load_settings(**{name: value for name, value in given.items() if value is not None})
        security = settings.kafka_security_options()
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    return Target(settings.kafka_bootstrap, settings.topic_prefix, security)


async def require_topics(target: Target, topics: Sequence[str]) -> None:
    """Fails with a remedy where Kafka does not answer or lacks one of the topics (logical names)."""
    # Without a handler of its own the library's every attempt to connect would be a line on the screen.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    kafka_metadata.install()
    kafka_bootstrap.install()
    try:
        with complaints() as said:
            missing = await missing_topics(target.options, [target.prefix + name for name in topics])
    except (KafkaError, OSError, TimeoutError) as error:
        raise click.ClickException(
            f"Kafka at {target.bootstrap} does not answer; set --bootstrap or BOOKSTREAM_KAFKA_BOOTSTRAP, and "
            f"BOOKSTREAM_KAFKA_SECURITY_* ({[*said, error][0]})"
        ) from error
    if missing:
        raise click.ClickException(
            f"Kafka at {target.bootstrap} lacks the topics {', '.join(missing)}; `bookstream topics` creates them, "
            "and --prefix says what their names begin with"
        )


@asynccontextmanager
async def producing(target: Target) -> AsyncIterator[AIOKafkaProducer]:
    """Yields a producer; what it was given is delivered at the end.

    It is not idempotent, since the service is: a record that a retry doubled is answered as the repeat it is.
    """
    producer = AIOKafkaProducer(client_id="bookstream-send", acks="all", linger_ms=2, **target.options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def start_consumer(consumer: AIOKafkaConsumer, take_positions: Callable[[], Awaitable[None]]) -> None:
    """Starts a consumer and places it; one that can't be placed is stopped again."""
    await consumer.start()
    try:
        await take_positions()
    except BaseException:
        await consumer.stop()
        raise


async def assign_topics(consumer: AIOKafkaConsumer, target: Target, topics: Sequence[str]) -> list[TopicPartition]:
    """Assigns every partition of the topics (logical names) to a started consumer, and gives them."""
    full = [target.prefix + name for name in topics]
    await consumer._client.set_topics(full)  # noqa: SLF001  partitions are known of these alone
    places = [
        TopicPartition(topic, number) for topic in full for number in sorted(consumer.partitions_for_topic(topic) or ())
    ]
    consumer.assign(places)
    return places
