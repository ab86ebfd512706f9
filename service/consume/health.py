"""What the consumer knows about its own state, for the probes."""

import time
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from service.telemetry.pulse import Pulse


@dataclass(slots=True)
class ConsumerHealth:
    """Facts that liveness and readiness are judged by; written by the consumer alone. Ages are in seconds.

    `pulse` beats at every step of a batch, and at every try while one waits; `handled_until` is the append time, in
    seconds since 1970, of the last record handled of a partition. While consumption is paused, `paused` says so, and
    `resting` is where the partitions stood when that was noticed.
    """

    started: bool = False
    assigned: frozenset[TopicPartition] = frozenset()
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    stopped: dict[TopicPartition, str] = field(default_factory=dict)
    paused: str | None = None
    resting: dict[TopicPartition, int] = field(default_factory=dict)
    last_error: str | None = None
    batches: int = 0
    records: int = 0
    batch_started: float | None = None
    last_batch: float | None = None
    last_poll: float | None = None
    pulse: Pulse = field(default_factory=Pulse)
    handled_until: dict[TopicPartition, float] = field(default_factory=dict)

    def batch_begins(self) -> None:
        """Note that a batch has come in."""
        self.batch_started = time.monotonic()

    def batch_ends(self, applied: int) -> None:
        """Note that the batch is through, with so many records applied."""
        self.batch_started = None
        self.last_batch = time.monotonic()
        if applied:
            self.batches += 1
            self.records += applied
            self.last_error = None

    def polled(self, idle_seconds: float) -> None:
        """Note how long ago the consume loop last asked for records."""
        self.last_poll = time.monotonic() - idle_seconds

    def batch_age(self) -> float | None:
        """How long the running batch has been at it; None between batches."""
        return None if self.batch_started is None else time.monotonic() - self.batch_started

    def poll_age(self) -> float | None:
        """How long ago the consume loop asked for records; None before the first time."""
        return None if self.last_poll is None else time.monotonic() - self.last_poll

    @property
    def unplaced(self) -> frozenset[TopicPartition]:
        """Assigned partitions whose position is not yet known; nothing of them is handled."""
        return self.assigned - self.positions.keys() - self.stopped.keys()

    @property
    def ready(self) -> bool:
        """Whether the consumer runs and every assigned partition moves."""
        return self.started and not self.stopped and not self.unplaced and self.paused is None
