"""Nodes of a real Apache Kafka fail and come back as the fault tests ask."""

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from service.embedded.broker import brokers_known_to
from tests.support.kafka_jars import JarKafka
from tests.support.wait import until


def _answers(address: str) -> bool:
    host, port = address.split(":")
    return brokers_known_to(host, int(port), timeout=0.5) > 0


async def test_two_of_three_nodes_go_on(kafka_cluster: JarKafka, topic_prefix: str) -> None:
    """With a node dead, acks=all still succeeds; with one more frozen it waits, and succeeds after that one thaws."""
    topic = f"{topic_prefix}orders"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_cluster.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=3)])
    await admin.close()
    first, second, third = kafka_cluster.bootstrap.split(",")
    async with AIOKafkaProducer(bootstrap_servers=kafka_cluster.bootstrap, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"three nodes")
        await asyncio.to_thread(kafka_cluster.kill_node, 1)
        assert not _answers(first)
        await producer.send_and_wait(topic, b"two nodes")
        kafka_cluster.pause_node(2)
        # A signal stops a process when one of its threads comes to run; until then others may answer.
        await until(lambda: asyncio.to_thread(lambda: not _answers(second)))
        sent = await producer.send(topic, b"one node")
        kafka_cluster.continue_node(2)
        await until(lambda: asyncio.to_thread(_answers, second))
        assert (await sent).offset == 2
        await asyncio.to_thread(kafka_cluster.resume_node, 1)
        assert _answers(first)
        assert _answers(third)
