"""Counts records that lie on another partition than their key names."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from aiokafka import AIOKafkaConsumer

from service.partitioner import partition as partition_of
from service.record import Record
from service.telemetry.meters import Meters
from service.telemetry.names import MISPLACED

# Of an id; to hash what a sender wrote in its place could take seconds.
_LONGEST: Final = 64


class Misplaced:
    """Compares a record's partition with the one that Kafka's Java client would choose.

    A key is hashed once and then remembered, by the relay too, which sends the same keys.
    """

    def __init__(self, consumer: Callable[[], AIOKafkaConsumer | None], meters: Meters, prefix: str) -> None:
        self._consumer = consumer
        self._meters = meters
        self._prefix = prefix

    def count(self, records: Iterable[Record]) -> None:
        """Counts those of a batch; records without a key, or with one that is no id, may lie anywhere."""
        partitions: dict[str, int] = {}
        elsewhere: Counter[str] = Counter()
        for topic, number, _, key, *_ in records:
            known = partitions.get(topic)
            if known is None:
                known = partitions[topic] = self._partitions(topic)
            if known and key is not None and len(key) <= _LONGEST and partition_of(key, known) != number:
                elsewhere[topic] += 1
        for topic, count in elsewhere.items():
            self._meters.add(MISPLACED, count, topic)

    def _partitions(self, topic: str) -> int:
        consumer = self._consumer()
        known = None if consumer is None else consumer.partitions_for_topic(self._prefix + topic)
        return len(known or ())
