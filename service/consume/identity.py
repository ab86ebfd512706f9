"""Which cluster and which topics are at the other end: offsets mean nothing to any others.

A topic that is deleted and made anew has the same name and another id. Kafka tells ids since version 10 of its metadata
request, which aiokafka does not have; here is as much of it as is needed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

METADATA: Final = 3
NONE: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Identity:
    """A cluster's id, and the ids of topics by full name; what the brokers don't tell is not there."""

    cluster: str | None = None
    topics: Mapping[str, UUID] = field(default_factory=dict)


class _Uuid(AbstractType):  # type: ignore[misc]  # aiokafka has no types
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


class _Metadata10(Response):  # type: ignore[misc]
    API_KEY = METADATA
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _Ask10(RequestStruct):  # type: ignore[misc]
    API_KEY = METADATA
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Metadata10
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class Ask(Request[MetadataRequest_v5 | _Ask10]):  # type: ignore[misc]
    """The newest that the broker knows of the two: without topic ids, or with them."""

    API_KEY = METADATA

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[Any]) -> Any:
        """Makes the request in the version that the broker knows."""
        if request_struct_class is _Ask10:
            return _Ask10([(NONE, topic, {}) for topic in self._topics], False, False, False, {})  # noqa: FBT003
        return request_struct_class(list(self._topics), False)  # noqa: FBT003


async def identify(client: AIOKafkaClient, topics: Collection[str]) -> Identity:
    """Asks any broker; raises what aiokafka raises."""
    response = await client.send(client.get_random_node(), Ask(topics))
    if response.API_VERSION < _Ask10.API_VERSION:
        return Identity(response.cluster_id)
    ids = {topic: topic_id for _, topic, topic_id, *_ in response.topics if topic_id != NONE}
    return Identity(response.cluster_id, ids)
