from collections.abc import Awaitable, Callable

import pytest
from aiokafka.errors import KafkaError

from service.consume.append_time import require_append_time
from service.embedded import EmbeddedBroker
from service.topics import COMMAND_TOPICS, CONSUMED_TOPICS, Topics, wanted
from tests.kafka.harness import set_config
from tests.support.wait import until


async def test_missing_topics_are_created_as_wanted(kafka: str, topic_prefix: str) -> None:
    """Everything is reported missing, then created, then found as wanted; a second run creates nothing."""
    topics = wanted(prefix=topic_prefix, partitions=3, replication=1)
    async with Topics({"bootstrap_servers": kafka}) as cluster:
        before = await cluster.compare(topics)
        assert sorted(await cluster.create_missing(topics)) == sorted(each.name for each in topics)
        assert await cluster.create_missing(topics) == []
        assert await cluster.compare(topics) == []
    assert {str(each) for each in before} == {f"{each.name}: does not exist" for each in topics}


async def test_differences_are_told(kafka: str, topic_prefix: str) -> None:
    """A topic of another make is reported setting by setting, and left as it is."""
    made = wanted(prefix=topic_prefix, partitions=2, replication=1)
    async with Topics({"bootstrap_servers": kafka}) as cluster:
        await cluster.create_missing(made)
        name = topic_prefix + "booking-commands"
        await set_config(kafka, name, {"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"})
        topics = wanted(prefix=topic_prefix, partitions=12, replication=1)

        async def told() -> set[str]:
            return {str(each) for each in await cluster.compare(topics) if each.topic == name}

        assert f"{name}: partitions is 2, wanted 12" in await told()
        compacted = f"{name}: cleanup.policy is compact, wanted delete"
        await until(lambda: has(told, compacted))


async def has(told: Callable[[], Awaitable[set[str]]], line: str) -> bool:
    """Whether the line is told by now: brokers learn of a changed setting a little later."""
    return line in await told()


async def test_impossible_replication_names_the_topic(kafka: str, topic_prefix: str) -> None:
    """More replicas than brokers is an error with the topic's name and the broker's reason."""
    async with Topics({"bootstrap_servers": kafka}) as cluster:
        with pytest.raises(KafkaError, match=r"was not created: .*replication"):
            await cluster.create_missing(wanted(prefix=topic_prefix, partitions=1, replication=9))


def test_command_topics_bear_the_append_time_and_nothing_is_compacted() -> None:
    """Append time where decisions rest on it; two in-sync replicas of three; dead letters kept longest."""
    topics = {each.name: each.config for each in wanted(prefix="", partitions=12, replication=3)}
    stamped = {name for name, config in topics.items() if config.get("message.timestamp.type") == "LogAppendTime"}
    assert stamped == set(CONSUMED_TOPICS) > set(COMMAND_TOPICS)
    assert {config["cleanup.policy"] for config in topics.values()} == {"delete"}
    assert {config["min.insync.replicas"] for config in topics.values()} == {"2"}
    assert int(topics["commands-dlq"]["retention.ms"]) == 14 * 86_400_000


async def test_embedded_broker_gets_its_topics(topic_prefix: str) -> None:
    """The topics are created on the embedded broker too, and what it does not tell is no difference."""
    with EmbeddedBroker() as embedded:
        topics = wanted(prefix=topic_prefix, partitions=3, replication=1)
        async with Topics({"bootstrap_servers": embedded.bootstrap}) as cluster:
            await cluster.create_missing(topics)
            assert [each for each in await cluster.compare(topics) if each.setting in {"existence", "partitions"}] == []


async def test_times_that_are_not_told_are_said_to_be(
    kafka: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A topic that bears the append time is in no doubt; one whose settings the broker keeps to itself is named."""
    options, topics = {"bootstrap_servers": kafka}, wanted(prefix=topic_prefix, partitions=1, replication=1)
    known, unknown = topic_prefix + "booking-commands", topic_prefix + "absent"
    async with Topics(options) as cluster:
        await cluster.create_missing([each for each in topics if each.name == known])
    await require_append_time(options, [known])
    assert "append time" not in caplog.text
    await require_append_time(options, [known, unknown])
    assert f"records of {unknown} bear" in caplog.text
