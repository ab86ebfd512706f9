"""A real Apache Kafka for tests: one that runs already, one in Docker, or its own jars on a local Java."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aiokafka.admin import AIOKafkaAdminClient

from service.embedded.broker import brokers_known_to
from service.embedded.process import LOOPBACK
from tests.support import docker
from tests.support.kafka_jars import VERSION, JarKafka, fetch_jars
from tests.support.stack import Found, Source, first_usable, running_already

VARIABLE = "BOOKSTREAM_TEST_KAFKA"
IMAGE = f"apache/kafka:{VERSION}"
REMEDY = (
    "install Java 17 or newer and Maven (`apt-get install openjdk-17-jre-headless maven`), "
    f"or start Docker, or set {VARIABLE}=host:port of a Kafka 4 broker that may be filled with test topics"
)


@functools.cache
def find() -> Found:
    """Return the first source that this machine has, ready to start: what it downloads is there."""
    return first_usable(
        "Apache Kafka", {VARIABLE: lambda: running_already(VARIABLE), "Docker": _docker, "local Java": _jars}
    )


async def drop_topics(bootstrap: str, prefix: str) -> None:
    """Delete the topics whose names begin with `prefix`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        mine = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


def _docker() -> Source:
    docker.require(IMAGE)

    @contextmanager
    def start() -> Iterator[str]:
        with docker.running(IMAGE, 9092, _environment, lambda port: brokers_known_to(LOOPBACK, port) > 0) as port:
            yield f"{LOOPBACK}:{port}"

    return Source(f"{IMAGE} in Docker", start)


def _environment(port: int) -> Mapping[str, str]:
    """Two listeners: the broker cannot reach itself by the address that its clients use."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "CLIENTS://:9092,CONTROLLER://:9093,INTERNAL://:19092",
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENTS://{LOOPBACK}:{port},INTERNAL://localhost:19092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }


def _jars() -> Source:
    fetch_jars()

    @contextmanager
    def start() -> Iterator[str]:
        with JarKafka() as kafka:
            yield kafka.bootstrap

    return Source(f"Apache Kafka {VERSION} on the local Java", start)
