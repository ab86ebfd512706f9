"""What the probes make of made-up facts."""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from service.clock.clock import ClockHealth
from service.consume.consumer import Consumer
from service.consume.health import ConsumerHealth
from service.parts import SILENT_SECONDS, STUCK_SECONDS, Parts
from service.relay.relay import RelayHealth
from service.telemetry.pulse import Check, Pulse

LONG_AGO = STUCK_SECONDS + 5
P0 = TopicPartition("booking-commands", 0)


def ago(seconds: float) -> float:
    """A time so long ago."""
    return time.monotonic() - seconds


def worker(**facts: Any) -> ConsumerHealth:
    """A worker with nothing to complain about, but for these facts."""
    return ConsumerHealth(**{"started": True, "last_poll": ago(0), **facts})


def parts(
    consumer: ConsumerHealth | None = None, relay: RelayHealth | None = None, clock: ClockHealth | None = None
) -> Parts:
    """A process that has begun, of parts with such health."""
    made = Parts(cast("Any", None), began=True)
    made.consumer = None if consumer is None else cast("Consumer", SimpleNamespace(health=consumer))
    made.relay = None if relay is None else cast("Any", SimpleNamespace(health=relay))
    made.clock = None if clock is None else cast("Any", SimpleNamespace(health=clock))
    return made


def sound_relay(**facts: Any) -> RelayHealth:
    """A relay with a session and a producer."""
    return RelayHealth(**{"connected": True, "last_beat": ago(0), **facts})


def test_a_sound_process_is_live_and_ready() -> None:
    """Nothing to complain about."""
    made = parts(worker(), sound_relay(), ClockHealth(last_beat=ago(0)))
    assert made.not_live() == []
    assert made.not_ready() == []


@pytest.mark.parametrize(
    ("made", "loop"),
    [
        (lambda: parts(worker(last_poll=ago(LONG_AGO))), "consumer"),
        (lambda: parts(worker(batch_started=ago(LONG_AGO), pulse=Pulse(ago(LONG_AGO)))), "batch"),
        (lambda: parts(relay=sound_relay(pulse=Pulse(ago(LONG_AGO)))), "relay"),
        (lambda: parts(clock=ClockHealth(last_beat=ago(0), pulse=Pulse(ago(LONG_AGO)))), "clock"),
    ],
    ids=["consumer", "batch", "relay", "clock"],
)
def test_a_loop_that_stands_still_is_not_live(made: Callable[[], Parts], loop: str) -> None:
    """Each loop has its own limit, and is named; what is not live is not ready."""
    process = made()
    (problem,) = process.not_live()
    assert f"the loop {loop} has stood still for 12" in problem
    assert problem in process.not_ready()


@pytest.mark.parametrize(
    "made",
    [
        # A batch is in hand: no records are asked for meanwhile, and each try of it is a step.
        lambda: parts(worker(last_poll=ago(3_600), batch_started=ago(3_600), pulse=Pulse(ago(60)))),
        # Between batches nothing takes steps.
        lambda: parts(worker(pulse=Pulse(ago(3_600)))),
        # It has just begun with the batch, after a long silence.
        lambda: parts(worker(batch_started=ago(1), pulse=Pulse(ago(3_600)))),
        # Not a first poll yet.
        lambda: parts(worker(last_poll=None)),
        # PostgreSQL is away for long: the loops go round, without a session.
        lambda: parts(relay=sound_relay(last_beat=ago(3_600)), clock=ClockHealth(last_beat=ago(3_600))),
    ],
    ids=["waiting batch", "idle", "new batch", "no poll yet", "outage"],
)
def test_waiting_is_live(made: Callable[[], Parts]) -> None:
    """A restart would mend nothing."""
    assert made().not_live() == []


async def test_a_loop_that_has_ended_is_not_live() -> None:
    """A task that is over is never well, whatever it was."""
    made = parts(relay=sound_relay())
    made.tasks = [asyncio.create_task(asyncio.sleep(0), name="relay")]
    await asyncio.gather(*made.tasks)
    assert made.not_live() == ["the relay has ended"]


def test_the_start_is_live_and_not_ready() -> None:
    """Before the schema was seen, loops are not judged, since none runs."""
    made = parts(worker(started=False, last_poll=ago(LONG_AGO)), RelayHealth(pulse=Pulse(ago(LONG_AGO))))
    made.began = False
    assert made.not_live() == []
    assert made.not_ready() == ["starting: PostgreSQL has not shown its schema yet"]


def test_a_standby_is_ready() -> None:
    """Nothing assigned, no lock held: it can take over at any time."""
    made = parts(worker(assigned=frozenset()), sound_relay(owner=False), ClockHealth(last_beat=ago(1)))
    assert made.not_ready() == []


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: parts(worker(started=False)), "the consumer does not run yet"),
        (lambda: parts(worker(assigned=frozenset({P0}))), "the positions of 1 partitions are not known yet"),
        (lambda: parts(worker(assigned=frozenset({P0}), stopped={P0: "a gap"})), "a gap"),
        (lambda: parts(worker(last_error="PostgreSQL is unavailable")), "PostgreSQL is unavailable"),
        (lambda: parts(relay=RelayHealth()), "the relay waits for Kafka"),
        (lambda: parts(relay=RelayHealth(connected=True)), "the relay has had no session with PostgreSQL lately"),
        (lambda: parts(clock=ClockHealth()), "the clock has had no session with PostgreSQL lately"),
        (
            lambda: parts(clock=ClockHealth(last_beat=ago(SILENT_SECONDS + 1))),
            "the clock has had no session with PostgreSQL lately",
        ),
    ],
)
def test_what_keeps_from_work_is_named(made: Callable[[], Parts], told: str) -> None:
    """Alive, but not ready."""
    process = made()
    assert process.not_live() == []
    assert process.not_ready() == [told]


async def test_a_dependency_that_does_not_answer() -> None:
    """It is not ready until it has answered, nor after it has failed, and is again with the next answer."""
    answers: list[Exception | None] = [None, ConnectionRefusedError("refused"), KeyError("someone@mail.example"), None]

    async def ask() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    made, check = parts(worker()), Check.of("Kafka", ask)
    made.checks = [check]
    assert made.not_ready() == ["Kafka has not been asked yet"]
    told = []
    while answers:
        await check.once(1)
        told.append(made.not_ready())
    assert told == [
        [],
        ["Kafka does not answer: ConnectionRefusedError(refused)"],
        ["Kafka does not answer: KeyError"],
        [],
    ]


async def test_a_dependency_that_hangs() -> None:
    """A call without an end counts as no answer."""
    check = Check.of("Kafka", lambda: asyncio.sleep(60))
    await check.once(0.05)
    assert check.problem == "Kafka has not answered within 0 s"
