"""The topics the service needs: what they should be like, and how the cluster's differ."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.headers import (
    BOOKING_COMMANDS,
    COMMANDS_DLQ,
    COMMANDS_REPLAY,
    INTERNAL_COMMANDS,
    TOPICS,
    VISIT_COMMANDS,
)

COMMAND_TOPICS = (BOOKING_COMMANDS, VISIT_COMMANDS, INTERNAL_COMMANDS)
CONSUMED_TOPICS = (*COMMAND_TOPICS, COMMANDS_REPLAY)
TIMESTAMP_TYPE = "message.timestamp.type"
LOG_APPEND_TIME = "LogAppendTime"

_WEEK_MS = 7 * 86_400_000
_MIB = 1024 * 1024
_HEADROOM = 64 * 1024
_REPLICATED = 3
_KNOWN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its full name, with the settings that matter to the service."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a topic of the cluster is not as wanted; `found` is None where it does not exist."""

    topic: str
    setting: str
    wanted: str
    found: str | None

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.topic}: does not exist"
        return f"{self.topic}: {self.setting} is {self.found}, wanted {self.wanted}"


def wanted(*, prefix: str, partitions: int, replication: int) -> list[Topic]:
    """Every topic of the service.

    Nothing is compacted: an id is unique within an account only, so keys are no identities. Records of the topics that
    are consumed bear the broker's append time, which decisions rest on. Sizes are of a producer's batch: for commands
    1 MiB and room for its headers (a value over 256 KiB gets its dead letter), 2 MiB for events and results, 8 MiB for
    dead letters, since what a sender had compressed is kept as it is.
    """
    return [Topic(prefix + each.name, partitions, replication, _config(each.name, replication)) for each in TOPICS]


def untold(topics: Sequence[str], settings: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Names those topics whose times the brokers don't tell, such as to a user who may not describe settings."""
    return sorted(name for name in topics if TIMESTAMP_TYPE not in settings.get(name, {}))


def retention() -> dict[str, int]:
    """For how many milliseconds each topic keeps its records, as `topics` makes it."""
    return {each.name: int(_config(each.name, 1)["retention.ms"]) for each in TOPICS}


def _config(name: str, replication: int) -> Mapping[str, str]:
    config = {
        "cleanup.policy": "delete",
        "min.insync.replicas": "2" if replication >= _REPLICATED else "1",
        "retention.ms": str(2 * _WEEK_MS if name == COMMANDS_DLQ else _WEEK_MS),
        "max.message.bytes": str(_size(name)),
    }
    return {**config, TIMESTAMP_TYPE: LOG_APPEND_TIME} if name in CONSUMED_TOPICS else config


def _size(name: str) -> int:
    if name in COMMAND_TOPICS:
        return _MIB + _HEADROOM
    return 8 * _MIB if name in (COMMANDS_DLQ, COMMANDS_REPLAY) else 2 * _MIB


class Topics:
    """The topics of a cluster, through its admin protocol. Use as an asynchronous context manager."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._admin = AIOKafkaAdminClient(**options)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._admin.close()

    async def create_missing(self, topics: Sequence[Topic]) -> list[str]:
        """Create those that do not exist and return their names; `KafkaError` names the topic that could not be."""
        present = set(await self._admin.list_topics())
        missing = [each for each in topics if each.name not in present]
        if not missing:
            return []
        response = await self._admin.create_topics(
            [
                NewTopic(each.name, each.partitions, each.replication, topic_configs=dict(each.config))
                for each in missing
            ]
        )
        created = []
        for name, code, *rest in response.topic_errors:
            error = for_code(code)
            if code == 0:
                created.append(name)
            elif error is not TopicAlreadyExistsError:
                raise KafkaError(f"topic {name} was not created: {(rest and rest[0]) or error.__name__}")
        await self._until_known({each.name for each in missing})
        return created

    async def compare(self, topics: Sequence[Topic]) -> list[Difference]:
        """How the cluster's topics differ from what is wanted; settings that the broker does not tell count as fine."""
        described = {each["topic"]: each["partitions"] for each in await self._admin.describe_topics()}
        present = [each for each in topics if each.name in described]
        configs = await self.settings([each.name for each in present])
        differences = [
            Difference(each.name, "existence", "exists", None) for each in topics if each.name not in described
        ]
        for topic in present:
            wanted_facts = {
                "partitions": str(topic.partitions),
                "replication": str(topic.replication),
                **topic.config,
            }
            replicas = [len(each["replicas"]) for each in described[topic.name]]
            found = {
                **configs.get(topic.name, {}),
                "partitions": str(len(replicas)),
                "replication": str(min(replicas, default=0)),
            }
            differences += [
                Difference(topic.name, name, value, found[name])
                for name, value in wanted_facts.items()
                if found.get(name, value) != value
            ]
        return differences

    async def settings(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """The settings of topics that exist, as far as the broker tells them."""
        if not names:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found: dict[str, dict[str, str]] = {}
        for response in await self._admin.describe_configs(resources):
            for _code, _message, _type, name, entries in response.resources:
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
        return found

    async def _until_known(self, names: set[str]) -> None:
        """The controller knows a new topic before the brokers do."""
        async with asyncio.timeout(_KNOWN_SECONDS):
            while not names <= set(await self._admin.list_topics()):  # noqa: ASYNC110  nothing tells when
                await asyncio.sleep(0.1)
