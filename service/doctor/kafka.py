"""The cluster behind BOOKSTREAM_KAFKA_BOOTSTRAP: reachable, able, with topics as wanted, in time."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from service.doctor.finding import Clock, Finding, ok, problem, warning
from service.doctor.postgres import skew_finding
from service.doctor.transport import kafka_transport
from service.errors import SettingsError
from service.kafka_security import complaints
from service.record import LOG_APPEND_TIME
from service.retention import kept_for_longer, tell
from service.settings import Settings
from service.topics import COMMAND_TOPICS, CONSUMED_TOPICS, Difference, Topics, untold, wanted

TIMEOUT_MS: Final = 5_000
READ_MS: Final = 1_500
_FETCH, _INIT_PRODUCER_ID = 1, 22
_HEADERS_SINCE, _FOUR_DROPPED = 4, 4  # versions of Fetch: the first with headers, the first that Kafka 4 still has
ABSENT: Final = (KafkaError, OSError, TimeoutError, AssertionError, ValueError)


async def examine_kafka(settings: Settings, clock: Clock) -> list[Finding]:
    """Examines the cluster, then the topics on it, then its clock as far as records tell it."""
    # Without a handler of its own the library's every attempt to connect would be a line on the screen.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        options = {**settings.kafka_options(), "request_timeout_ms": TIMEOUT_MS}
    except SettingsError as error:
        return [problem("settings", str(error), "correct the setting, or the file that it names")]
    try:
        with complaints() as said:
            findings = [kafka_transport(settings), *await _cluster(settings, options)]
    except ABSENT as error:
        remedy = (
            "look at BOOKSTREAM_KAFKA_BOOTSTRAP, whether the brokers run, at their advertised.listeners, and at "
            "BOOKSTREAM_KAFKA_SECURITY_*"
        )
        why = [*said, str(error) or type(error).__name__][0]
        told = f"Kafka at {settings.kafka_bootstrap} does not answer: {why}"
        return [problem("kafka", told, remedy)]
    for check in (_topics, lambda one, two: _append_time(one, two, clock)):
        try:
            findings += await check(settings, options)
        except ABSENT as error:
            told = f"this could not be looked at: {str(error) or type(error).__name__}"
            findings.append(problem("kafka", told, "let the user describe topics and their settings (ACLs)"))
    return findings


async def _cluster(settings: Settings, options: Mapping[str, Any]) -> list[Finding]:
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        brokers = (await admin.describe_cluster())["brokers"]
        client = admin._client  # noqa: SLF001  nothing public tells what the brokers understand
        connection = await client._get_conn(client.get_random_node())  # noqa: SLF001
        versions: Mapping[int, tuple[int, int]] = connection._versions if connection is not None else {}  # noqa: SLF001
    finally:
        await admin.close()
    return [*_brokers(len(brokers), settings), *_abilities(versions, settings)]


def _brokers(count: int, settings: Settings) -> list[Finding]:
    told = f"{count} broker{'s' if count != 1 else ''} at {settings.kafka_bootstrap}"
    if count < settings.replication:
        remedy = f"start more brokers, or BOOKSTREAM_REPLICATION={count} for local work"
        return [problem("kafka", f"{told}, too few for {settings.replication} copies of a topic", remedy)]
    return [ok("kafka", told)]


def _abilities(versions: Mapping[int, tuple[int, int]], settings: Settings) -> list[Finding]:
    oldest, newest = versions.get(_FETCH, (0, 0))
    if newest < _HEADERS_SINCE:
        findings = [problem("kafka.version", "the brokers know no record headers", "Kafka 4.0 or newer")]
    elif oldest < _FOUR_DROPPED:
        told = "the brokers are older than Kafka 4.0, or another make; the service is tested with Kafka 4"
        findings = [warning("kafka.version", told, "Kafka 4.0 or newer")]
    else:
        findings = [ok("kafka.version", "Kafka 4.0 or newer")]
    if settings.kafka_idempotence and _INIT_PRODUCER_ID not in versions:
        told = "the brokers have no idempotent producers: the relay can't publish"
        findings.append(problem("kafka.idempotence", told, "BOOKSTREAM_KAFKA_IDEMPOTENCE=false, for local work only"))
    return findings


async def _topics(settings: Settings, options: Mapping[str, Any]) -> list[Finding]:
    plan = wanted(prefix=settings.topic_prefix, partitions=settings.partitions, replication=settings.replication)
    async with Topics(options) as cluster:
        differences = await cluster.compare(plan)
        consumed = [settings.topic_prefix + topic for topic in CONSUMED_TOPICS]
        absent = {each.topic for each in differences if each.found is None}
        hidden = untold([name for name in consumed if name not in absent], await cluster.settings(consumed))
    findings = [
        finding for each in differences for finding in judge(each, each.topic.removeprefix(settings.topic_prefix))
    ]
    if hidden:
        told = (
            f"the brokers don't tell the settings of {', '.join(hidden)}: whether they bear append times is not known"
        )
        remedy = "let this user describe the topics' settings (ACL DescribeConfigs)"
        findings.append(warning("kafka.settings", told, remedy))
    kept = await kept_for_longer(options, consumed, settings.inbox_retention)
    if kept:
        remedy = "raise BOOKSTREAM_INBOX_RETENTION_DAYS, or lower the topics' retention.ms"
        findings.append(problem("kafka.retention", tell(kept, settings.inbox_retention), remedy))
    else:
        findings.append(ok("kafka.retention", "no command outlives the memory of it"))
    sound = sorted({each.name for each in plan} - {finding.check.partition("/")[2] for finding in findings})
    return [*findings, *(ok(f"topic/{name}", "as wanted, or better") for name in sound)]


def judge(difference: Difference, name: str) -> list[Finding]:
    """Judges one difference of the topic with this logical name; none where it is on the safe side."""
    check, setting, told = f"topic/{difference.topic}", difference.setting, str(difference)
    if difference.found is None:
        return [problem(check, told, "bookstream topics")]
    alter = (
        f"kafka-configs.sh --alter --entity-type topics --entity-name {difference.topic} "
        f"--add-config {setting}={difference.wanted}"
    )
    match setting:
        case "message.timestamp.type":
            return [problem(check, f"{told}: decisions would rest on the senders' clocks", alter)]
        case "cleanup.policy":
            return [problem(check, f"{told}: two accounts may share a key, and one's records would vanish", alter)]
        case "partitions":
            remedy = f"BOOKSTREAM_PARTITIONS={difference.found}: a topic's number of partitions never changes"
            return [warning(check, told, remedy)]
        case "replication":
            return [warning(check, told, "kafka-reassign-partitions.sh adds copies")] if _less(difference) else []
        case "max.message.bytes" if _less(difference):
            return [problem(check, f"{told}: what the service sends may not fit", alter)]
        case "max.message.bytes":
            large = f"{told}: a larger record can't be kept as a dead letter"
            return [warning(check, large, alter)] if name in COMMAND_TOPICS else []
        case "retention.ms" if not _less(difference):
            return []
        case "retention.ms":
            return [warning(check, f"{told}: who is away for longer misses records", alter)]
        case _:
            return [warning(check, told, alter)]


def _less(difference: Difference) -> bool:
    found = int(difference.found or 0)
    return 0 <= found < int(difference.wanted)  # -1: no end


async def _append_time(settings: Settings, options: Mapping[str, Any], clock: Clock) -> list[Finding]:
    """The newest command can't have been appended in the future; how old it may be says nothing."""
    try:
        newest = await _newest_append(settings, options)
    except TopicAuthorizationFailedError:
        return [ok("kafka.clock", "not looked at: this user may not read commands")]
    if newest is None:
        return []
    ahead = newest - clock()
    if ahead <= timedelta():
        return [ok("kafka.clock", "no command was appended in the future")]
    return [skew_finding("kafka.clock", "Kafka", ahead)]


async def _newest_append(settings: Settings, options: Mapping[str, Any]) -> datetime | None:
    async with AIOKafkaConsumer(enable_auto_commit=False, **options) as consumer:
        present = await consumer.topics()
        topics = [settings.topic_prefix + name for name in CONSUMED_TOPICS if settings.topic_prefix + name in present]
        await consumer._client.set_topics(topics)  # noqa: SLF001  partitions are known of these alone
        places = [TopicPartition(one, number) for one in topics for number in consumer.partitions_for_topic(one) or ()]
        waiting = await _seek_last(consumer, places)
        times: list[int] = []
        while waiting:
            batches = await consumer.getmany(timeout_ms=READ_MS)
            if not batches:
                break
            waiting -= batches.keys()
            times += [
                one.timestamp for many in batches.values() for one in many if one.timestamp_type == LOG_APPEND_TIME
            ]
    return datetime.fromtimestamp(max(times) / 1000, UTC) if times else None


async def _seek_last(consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> set[TopicPartition]:
    """Places the consumer before the last record of each partition that has one, and gives those."""
    if not places:
        return set()
    begins, ends = await consumer.beginning_offsets(list(places)), await consumer.end_offsets(list(places))
    filled = {place for place in places if ends[place] > begins[place]}
    consumer.assign(list(filled))
    for place in filled:
        consumer.seek(place, ends[place] - 1)
    return filled
