"""Counts records that lie on another partition than their key names."""

from collections.abc import Callable, Iterable
from itertools import groupby, repeat
from operator import attrgetter
from typing import Final

from aiokafka import AIOKafkaConsumer

from service.partitioner import partition as partition_of
from service.record import PLACE, Record
from service.telemetry.meters import Meters
from service.telemetry.names import MISPLACED

# Of an id; to hash what a sender wrote in its place could take seconds.
_LONGEST: Final = 64
_KEY: Final = attrgetter("key")


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
        for (topic, number), run in groupby(records, key=PLACE):
            known = self._partitions(topic)
            keys = [key for key in map(_KEY, run) if key is not None and len(key) <= _LONGEST] if known else []
            elsewhere = len(keys) - list(map(partition_of, keys, repeat(known))).count(number)
            if elsewhere:
                self._meters.add(MISPLACED, elsewhere, topic)

    def _partitions(self, topic: str) -> int:
        consumer = self._consumer()
        known = None if consumer is None else consumer.partitions_for_topic(self._prefix + topic)
        return len(known or ())
