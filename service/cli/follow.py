"""Follows what the service writes: events, results and dead letters, without a consumer group."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from schemas import headers as names
from service.cli.connect import Target, assign_topics, require_topics, start_consumer
from service.consume import fetched

OUTPUTS: Final = (names.BOOKING_EVENTS, names.VISIT_EVENTS, names.COMMAND_RESULTS, names.COMMANDS_DLQ)
Kind = Literal["changed", "snapshot", "accepted", "refused", "dead letter", "other"]
KINDS: Final[Mapping[str, Kind]] = {
    names.BOOKING_CHANGED: "changed",
    names.VISIT_CHANGED: "changed",
    names.BOOKING_SNAPSHOT: "snapshot",
    names.VISIT_SNAPSHOT: "snapshot",
    names.COMMAND_ACCEPTED: "accepted",
    names.COMMAND_REFUSED: "refused",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A record of an output topic (logical name); `time` in milliseconds since 1970, header names in lower case.

    `value` is empty where the bytes are no JSON object, as those of a dead letter may be.
    """

    topic: str
    partition: int
    offset: int
    time: int
    key: bytes | None
    headers: Mapping[str, str]
    raw: bytes | None
    value: Mapping[str, Any]

    @property
    def kind(self) -> Kind:
        """What the record is."""
        if self.topic == names.COMMANDS_DLQ:
            return "dead letter"
        return KINDS.get(self.headers.get(names.CE_TYPE, ""), "other")

    @property
    def aggregate(self) -> tuple[str, str, str]:
        """Account, type and id of what it is about, as far as it says."""
        value, account = self.value, str(self.value.get("account_id") or "")
        if "aggregate_id" in value:
            return account, str(value.get("aggregate_type")), str(value["aggregate_id"])
        kind = next((kind for kind in ("booking", "visit", "location") if value.get(f"{kind}_id") is not None), "")
        return account, kind, str(value.get(f"{kind}_id", ""))


class Follower:
    """Reads the output topics from now on, or from their beginning. Use as an asynchronous context manager."""

    def __init__(self, target: Target, topics: Sequence[str] = OUTPUTS, *, from_beginning: bool = False) -> None:
        self._target = target
        self._topics = topics
        self._from_beginning = from_beginning
        self._consumer: AIOKafkaConsumer = None

    async def __aenter__(self) -> Self:
        await require_topics(self._target, self._topics)
        fetched.install()
        self._consumer = AIOKafkaConsumer(
            client_id="bookstream-tail",
            auto_offset_reset="earliest" if self._from_beginning else "latest",
            fetch_max_wait_ms=100,
            **self._target.options,
        )
        await start_consumer(self._consumer, self._take_positions)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def read(self, seconds: float) -> list[Seen]:
        """Returns what has come, in the order of time as far as topics can tell; waits at most so long for it."""
        batches = await self._consumer.getmany(timeout_ms=int(seconds * 1000))
        records = [record for batch in batches.values() for record in batch]
        records.sort(key=lambda record: record.timestamp)
        return [seen(record, self._target.prefix) for record in records]

    async def at_end(self) -> bool:
        """Tells whether everything that lies in the topics now has been read."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return all([await self._consumer.position(place) >= end for place, end in ends.items()])

    async def _take_positions(self) -> None:
        """What is written from here on is read, even if it is written before the first fetch."""
        await assign_topics(self._consumer, self._target, self._topics)
        if self._from_beginning:
            await self._consumer.seek_to_beginning()
        else:
            await self._consumer.seek_to_end()


def seen(record: ConsumerRecord, prefix: str) -> Seen:
    """Reads a record, whatever it holds."""
    try:
        value = json.loads(record.value) if record.value else None
    except (ValueError, RecursionError):
        value = None
    headers: dict[str, str] = {}
    for name, content in record.headers:
        headers[name.lower()] = (content or b"").decode("utf-8", "backslashreplace")
    return Seen(
        record.topic.removeprefix(prefix),
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        headers,
        record.value,
        value if isinstance(value, dict) else {},
    )
