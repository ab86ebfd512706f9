"""A running service shows every metric, and its counters agree with what was sent."""

import pytest
from aiokafka import AIOKafkaProducer

from service.partitioner import partition
from service.telemetry import names
from service.telemetry.names import METRICS
from tests.e2e.broker import PARTITIONS, Sent
from tests.e2e.stage import Stage, create, open_location, stop, update
from tests.telemetry.scrape import Scrape, scrape, scrape_until

BOOKINGS = [f"b-{number}" for number in range(10)]


async def _send_everything(stage: Stage) -> None:
    """Ten bookings made and changed, three repeats, two refusals, two dead letters, a timer, a record astray."""
    past = {"starts_at": "2020-01-01T12:00:00Z", "ends_at": "2020-01-01T13:00:00Z"}
    await stage.send([*(create(booking) for booking in BOOKINGS), create("b-past", **past)])
    # The timer of the booking that is over becomes a command.
    stage.sent += 1
    changes = [update(booking, f"u-{booking}", notes="x") for booking in BOOKINGS]
    await stage.send([*changes, *changes[:3], update("nobody", "u-1"), update("nobody", "u-2")])
    await stage.send([Sent("booking-commands", b"b-0", b"no json", changes[0].headers)] * 2)
    await stage.settle()
    astray = update("b-1", "astray", notes="elsewhere")
    async with AIOKafkaProducer(bootstrap_servers=stage.broker.bootstrap) as producer:
        wrong = (partition(b"b-1", PARTITIONS) + 1) % PARTITIONS
        topic = stage.broker.prefix + astray.topic
        await producer.send_and_wait(topic, astray.value, astray.key, wrong, headers=list(astray.headers))
    stage.sent += 1
    await stage.settle()


def _check_worker(found: Scrape) -> None:
    assert found.value(names.COMMANDS, type="configure-location", outcome="applied") == 1
    assert found.value(names.COMMANDS, type="create-booking", outcome="applied") == 11
    assert found.value(names.COMMANDS, type="update-booking", outcome="applied") == 11
    assert found.value(names.COMMANDS, type="update-booking", outcome="repeated") == 3
    assert found.value(names.COMMANDS, type="update-booking", outcome="refused") == 2
    assert found.value(names.COMMANDS, type="state-action", outcome="applied") == 1
    assert found.value(names.COMMANDS) == 29
    assert found.value(names.REFUSALS) == found.value(names.REFUSALS, error="not_found", detail="booking") == 2
    assert found.value(names.EVENTS) == found.value(names.EVENTS, type="booking-changed") == 23
    assert found.value(names.DEAD_LETTERS) == found.value(names.DEAD_LETTERS, reason="invalid_json") == 2
    assert found.value(names.INBOX_DUPLICATES) == 3
    assert found.value(names.MISPLACED) == found.value(names.MISPLACED, topic="booking-commands") == 1
    assert found.samples["bookstream_batch_size_sum", ()] == 31
    assert found.value(names.COMMAND_LATENCY) == 29
    assert found.value(names.VERSION_CONFLICTS) == found.value(names.REDECIDED) == 0
    assert found.value(names.CONSUMER_PARTITIONS, state="moving") == found.value(names.CONSUMER_PARTITIONS) == 16


def _check_relay_and_clock(found: Scrape) -> None:
    assert found.value(names.RELAY_PUBLISHED, topic="booking-events") == 23
    assert found.value(names.RELAY_PUBLISHED, topic="command-results") == 2
    assert found.value(names.RELAY_PUBLISHED, topic="commands-dlq") == 2
    assert found.value(names.RELAY_PUBLISHED, topic="internal-commands") == 1
    assert found.value(names.EVENT_LATENCY) == 23
    assert 0 < found.samples["bookstream_event_latency_seconds_sum", ()] < 23 * 60
    assert found.value(names.RELAY_OWNER) == found.value(names.CLOCK_OWNER) == 1
    assert found.value(names.RELAY_HELD) == 0
    assert found.value(names.TIMERS_SENT) == 1
    assert found.value(names.DEPENDENCY_UP, dependency="kafka") == 1
    assert found.value(names.DEPENDENCY_UP, dependency="postgresql") == 1
    assert found.value(names.DATABASE_POOL) == 4
    assert {dict(labels)["loop"] for name, labels in found.samples if name == names.LOOP_AGE.name} == {
        "consumer",
        "batch",
        "relay",
        "clock",
    }


def _is_at_rest(found: Scrape) -> bool:
    """The gauges that are measured now and then have seen the end."""
    measured = (names.OUTBOX_ROWS, names.OUTBOX_AGE, names.TIMERS_DUE, names.LAG_RECORDS, names.LAG_SECONDS)
    return all(found.has(metric) and found.value(metric) == 0 for metric in measured)


@pytest.mark.timeout(150)
async def test_every_metric_is_there_and_agrees_with_what_was_sent(stage: Stage) -> None:
    """Each command, refusal, repeat and dead letter is counted once; no declared metric is missing."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await _send_everything(stage)
        found = await scrape_until(service, _is_at_rest)
        assert [metric.name for metric in METRICS if not found.has(metric)] == []
        _check_worker(found)
        _check_relay_and_clock(found)
        assert await stop(service) == 0, service.tail()


@pytest.mark.timeout(150)
async def test_what_waits_is_measured(stage: Stage) -> None:
    """Without a relay the outbox grows; a standby knows its age, the owner its depth."""
    with stage.service("worker") as worker:
        await worker.ready()
        await stage.send([create("b-1")])
        await stage.consumed(1)
        assert not (await scrape(worker)).has(names.OUTBOX_AGE)
        assert await stop(worker) == 0
    await stage.connection.execute("UPDATE outbox SET created_at = created_at - interval '1 hour'")
    await stage.connection.execute("SELECT pg_advisory_lock(1651470187, 0)")
    with stage.service("relay") as relay:
        await relay.ready()
        found = await scrape_until(relay, lambda one: one.has(names.OUTBOX_AGE))
        assert 3600 <= found.value(names.OUTBOX_AGE) < 3700
        assert not found.has(names.OUTBOX_ROWS)
        assert found.value(names.RELAY_OWNER) == 0
        await stage.connection.execute("SELECT pg_advisory_unlock(1651470187, 0)")
        found = await scrape_until(relay, lambda one: one.has(names.OUTBOX_ROWS))
        assert (found.value(names.RELAY_OWNER), found.value(names.OUTBOX_AGE)) == (1, 0)
        assert await stop(relay) == 0
