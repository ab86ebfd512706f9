"""Each check of the cluster and its topics is broken on a real broker, and then told with its remedy."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from service.doctor import kafka as module
from service.doctor.finding import Clock, Severity, now
from service.doctor.kafka import examine_kafka
from service.embedded import EmbeddedBroker
from service.settings import Settings
from service.topics import Topics, wanted
from tests.doctor.harness import bad, only
from tests.kafka.harness import set_config
from tests.support.wait import until

WARNING, PROBLEM = Severity.WARNING, Severity.PROBLEM
Make = Callable[..., Settings]


@pytest.fixture
async def sound(kafka: str, topic_prefix: str, settings: Make) -> Settings:
    """Settings of a cluster that has every topic as wanted."""
    async with Topics({"bootstrap_servers": kafka}) as cluster:
        await cluster.create_missing(wanted(prefix=topic_prefix, partitions=2, replication=1))
    return settings(kafka_bootstrap=kafka, topic_prefix=topic_prefix)


async def examined(settings: Settings, clock: Clock = now) -> dict[str, tuple[Severity, str]]:
    """What is wrong there."""
    return bad(await examine_kafka(settings, clock))


async def test_all_is_well(sound: Settings) -> None:
    """Every topic is told to be as wanted; of a clock nothing is known before the first command."""
    findings = await examine_kafka(sound, now)
    assert bad(findings) == {}
    assert sum(finding.check.startswith("topic/") for finding in findings) == 8
    assert "kafka.clock" not in {finding.check for finding in findings}


async def test_nobody_answers(settings: Make) -> None:
    """A wrong address is one finding, and it names the setting."""
    only(await examine_kafka(settings(), now), "kafka", PROBLEM, "BOOKSTREAM_KAFKA_BOOTSTRAP")


async def test_missing_topics(kafka: str, topic_prefix: str, settings: Make) -> None:
    """Each missing topic is told with the command that makes it."""
    found = await examined(settings(kafka_bootstrap=kafka, topic_prefix=topic_prefix))
    assert len(found) == 8
    assert all(each[0] is PROBLEM and "bookstream topics" in each[1] for each in found.values())


async def test_too_few_brokers(sound: Settings) -> None:
    """Three copies on one broker can't be; the topics that are there have fewer than wanted."""
    found = await examined(sound.model_copy(update={"replication": 3}))
    assert found.pop("kafka")[0] is PROBLEM
    assert len(found) == 8
    assert all(each[0] is WARNING for each in found.values())


@pytest.mark.parametrize(
    ("topic", "setting", "value", "severity", "words"),
    [
        ("booking-commands", "message.timestamp.type", "CreateTime", PROBLEM, "senders' clocks"),
        ("visit-events", "cleanup.policy", "compact", PROBLEM, "share a key"),
        ("command-results", "retention.ms", "60000", WARNING, "60000, wanted 604800000"),
        ("booking-events", "max.message.bytes", "1000", PROBLEM, "may not fit"),
        ("booking-commands", "max.message.bytes", "9000000", WARNING, "dead letter"),
        ("commands-dlq", "min.insync.replicas", "2", WARNING, "min.insync.replicas is 2, wanted 1"),
    ],
)
async def test_a_topic_of_another_make(
    sound: Settings, topic: str, setting: str, value: str, severity: Severity, words: str
) -> None:
    """Each setting that matters is told with the command that sets it."""
    name = sound.topic_prefix + topic
    await set_config(sound.kafka_bootstrap, name, {**await config_of(sound, topic), setting: value})

    async def told() -> Any:
        return await examined(sound)

    found = await until(told)
    assert list(found) == [f"topic/{name}"]
    assert found[f"topic/{name}"][0] is severity
    assert words in found[f"topic/{name}"][1]
    assert f"--entity-name {name} --add-config {setting}=" in found[f"topic/{name}"][1]


async def config_of(settings: Settings, topic: str) -> dict[str, str]:
    """The settings that a topic was made with: altering replaces them all."""
    plan = wanted(prefix="", partitions=2, replication=1)
    return dict(next(each.config for each in plan if each.name == topic))


@pytest.mark.parametrize(("setting", "value"), [("retention.ms", "-1"), ("max.message.bytes", "9000000")])
async def test_more_than_wanted_is_well(sound: Settings, setting: str, value: str) -> None:
    """A topic of events that keeps longer or takes more is on the safe side."""
    name = sound.topic_prefix + "booking-events"
    await set_config(sound.kafka_bootstrap, name, {**await config_of(sound, "booking-events"), setting: value})

    async def changed() -> bool:
        async with Topics({"bootstrap_servers": sound.kafka_bootstrap}) as cluster:
            return bool(await cluster.compare(wanted(prefix=sound.topic_prefix, partitions=2, replication=1)))

    await until(changed)
    assert await examined(sound) == {}


async def test_other_partitions(sound: Settings) -> None:
    """The setting is what gives way: partitions of a topic never change."""
    found = await examined(sound.model_copy(update={"partitions": 12}))
    assert len(found) == 8
    assert all(each[0] is WARNING and "BOOKSTREAM_PARTITIONS=2" in each[1] for each in found.values())


@pytest.mark.parametrize(("skew", "severity"), [(-5, WARNING), (-3600, PROBLEM), (3600, None)])
async def test_a_clock_that_is_behind_the_brokers(sound: Settings, skew: int, severity: Severity | None) -> None:
    """A command that was appended in the future tells that the clocks differ; an old one tells nothing."""
    async with AIOKafkaProducer(bootstrap_servers=sound.kafka_bootstrap) as producer:
        await producer.send_and_wait(sound.topic_prefix + "visit-commands", b"x", partition=1)
    findings = await examine_kafka(sound, lambda: now() + timedelta(seconds=skew))
    if severity is None:
        assert bad(findings) == {}
        assert "kafka.clock" in {finding.check for finding in findings}
    else:
        only(findings, "kafka.clock", severity, "ahead of", "NTP")


async def test_a_broker_of_another_make(settings: Make) -> None:
    """The embedded broker is no Kafka 4, and has no idempotent producers that would do."""
    with EmbeddedBroker() as broker:
        found = await examined(settings(kafka_bootstrap=broker.bootstrap))
        assert found["kafka.version"][0] is WARNING


async def test_brokers_that_can_do_too_little(sound: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record headers, no idempotent producers: told, as far as a real broker can be asked for more than it has."""
    monkeypatch.setattr(module, "_HEADERS_SINCE", 99)
    monkeypatch.setattr(module, "_INIT_PRODUCER_ID", 9_999)
    found = await examined(sound)
    assert {check: severity for check, (severity, _) in found.items()} == {
        "kafka.version": PROBLEM,
        "kafka.idempotence": PROBLEM,
    }
    assert "BOOKSTREAM_KAFKA_IDEMPOTENCE=false" in found["kafka.idempotence"][1]
    found = await examined(sound.model_copy(update={"kafka_idempotence": False}))
    assert list(found) == ["kafka.version"]


async def test_settings_that_are_not_told(sound: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers tell a user without the right of it no settings at all; then the times of commands are in doubt."""

    async def nothing(_: Topics, names: Sequence[str]) -> dict[str, dict[str, str]]:
        return {name: {} for name in names}

    monkeypatch.setattr(Topics, "settings", nothing)
    found = await examined(sound)
    assert list(found) == ["kafka.settings"]
    assert found["kafka.settings"][0] is WARNING
    assert f"{sound.topic_prefix}booking-commands" in found["kafka.settings"][1]
    assert "DescribeConfigs" in found["kafka.settings"][1]


async def test_topics_that_may_not_be_looked_at(sound: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that the broker refuses is a finding; the others are run."""

    async def refuse(*_: object) -> None:
        raise TopicAuthorizationFailedError

    monkeypatch.setattr(Topics, "compare", refuse)
    only(await examine_kafka(sound, now), "kafka", PROBLEM, "ACL")
