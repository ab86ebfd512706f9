"""Traces of the running service, as a collector of OpenTelemetry gets them."""

import asyncio
import json
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from service.embedded.process import LOOPBACK
from service.telemetry.names import STEPS
from service.trace_context import span_of, trace_of
from tests.e2e.broker import Sent
from tests.e2e.checker import Seen
from tests.e2e.process import Service, environment
from tests.e2e.stage import Stage, create, open_location, stop, update
from tests.support.otlp import Collector, Told, collector
from tests.support.wait import until

PARENT = "00f067aa0ba902b7"
NAME, PHONE = "Kanarina", "+4790077123"


def traced(sent: Sent, number: int, flags: str = "01") -> Sent:
    """The command with a trace of its own."""
    return replace(sent, headers=[*sent.headers, ("traceparent", f"00-{number:032x}-{PARENT}-{flags}".encode())])


def exporting(stage: Stage, url: str, directory: Path, **more: str) -> Service:
    """A service that exports its spans."""
    settings = environment(
        stage.broker,
        stage.database_url,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=url,
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_SERVICE_NAME="bookings-oslo",
        **more,
    )
    return Service(settings, directory)


async def told(found: Collector, commands: int) -> dict[str, Told]:
    """Waits for the spans of so many commands; gives them by the id of the command."""

    def mine() -> list[Told]:
        return [each for each in found.spans if "messaging.message.id" in each.attributes]

    await until(lambda: len(mine()) >= commands)
    assert len(mine()) == commands
    return {each.attributes["messaging.message.id"]: each for each in mine()}


@pytest.mark.timeout(150)
async def test_one_trace_from_the_command_to_its_event(stage: Stage, tmp_path: Path) -> None:
    """The command's span lies between the sender's span and the event; batch and send are linked to it."""
    with collector() as found, exporting(stage, found.url, tmp_path) as service:
        await service.ready()
        await open_location(stage)
        await stage.send(
            [
                traced(create("b-1", notes=NAME, guest={"phone": PHONE}), 1),
                traced(create("b-2"), 2, "00"),
                create("b-3"),
                traced(update("nobody", "u-1"), 4, "03"),
                traced(create("b-4"), 5, "xx"),
            ]
        )
        await stage.settle()
        spans = await told(found, 2)
        await until(lambda: found.spans and any(each.kind == "PRODUCER" for each in found.spans))
        assert await stop(service) == 0, service.tail()
    events = {record.body["booking_id"]: record for record in await stage.events()}
    (refusal,) = await stage.broker.read(["command-results"])
    assert set(spans) == {"create-b-1", "u-1"}
    for span, record, trace in ((spans["create-b-1"], events["b-1"], 1), (spans["u-1"], refusal, 4)):
        assert span.trace == trace_of(record.header("traceparent")) == f"{trace:032x}"
        assert (span.parent, span.id) == (PARENT, span_of(record.header("traceparent")))
    assert trace_of(events["b-2"].header("traceparent")) == f"{2:032x}"
    assert events["b-2"].header("traceparent").endswith("-00")
    assert events["b-3"].header("traceparent") == events["b-4"].header("traceparent") == ""
    _check_command(spans["create-b-1"], stage, events["b-1"])
    assert spans["u-1"].attributes["bookstream.refusal"] == "booking"
    _check_batches(found, spans)
    _check_sends(found, stage, {events["b-1"].header("traceparent"), refusal.header("traceparent")})
    text = b"".join(found.raw)
    assert all(word.encode() not in text for word in (NAME, PHONE))


def _check_command(span: Told, stage: Stage, event: Seen) -> None:
    topic = f"{stage.broker.prefix}booking-commands"
    assert (span.name, span.kind, span.failed) == (f"process {topic}", "CONSUMER", False)
    assert span.resource["service.name"] == "bookings-oslo"
    assert {"service.version", "service.instance.id"} <= span.resource.keys()
    offset = span.attributes.pop("messaging.kafka.offset")
    partition = span.attributes.pop("messaging.destination.partition.id")
    assert int(partition) == event.partition
    assert offset >= 0
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": f"{stage.broker.prefix}bookstream",
        "messaging.destination.name": topic,
        "messaging.message.id": "create-b-1",
        "cloudevents.event_type": "create-booking",
        "bookstream.outcome": "applied",
    }
    assert 0 < span.ended - span.began < 60 * 10**9
    assert abs(time.time() - span.began / 10**9) < 120


def _check_batches(found: Collector, spans: dict[str, Told]) -> None:
    """Each command is linked to its batch and its batch to the sender's span; steps follow each other within it."""
    batches = {(each.trace, each.id): each for each in found.named("process batch")}
    assert {link for span in spans.values() for link in span.links} == set(batches)
    for span in spans.values():
        (link,) = span.links
        assert (span.trace, PARENT) in batches[link].links
    assert sum(len(batch.links) for batch in batches.values()) == len(spans)
    for batch in batches.values():
        assert (batch.kind, batch.parent) == ("CONSUMER", "")
        assert batch.attributes["messaging.batch.message_count"] >= len(batch.links)
        steps = sorted((each for each in found.spans if each.parent == batch.id), key=lambda each: each.began)
        assert next(step.name for step in steps) == "decode"
        assert {step.name for step in steps} >= set(STEPS) - {"save", "remember"}
        assert all(step.trace == batch.trace and step.kind == "INTERNAL" for step in steps)
        assert batch.began == steps[0].began
        assert batch.ended == max(step.ended for step in steps)


def _check_sends(found: Collector, stage: Stage, traceparents: set[str]) -> None:
    sends = [each for each in found.spans if each.kind == "PRODUCER"]
    assert {link for each in sends for link in each.links} == {(trace_of(one), span_of(one)) for one in traceparents}
    for each in sends:
        assert each.name.startswith("send")
        assert each.attributes["messaging.operation.type"] == "send"
        assert each.attributes["messaging.batch.message_count"] >= len(each.links)
        named = each.attributes.get("messaging.destination.name")
        assert each.name == ("send" if named is None else f"send {named}")
        assert named is None or named.startswith(stage.broker.prefix)


@pytest.mark.timeout(150)
async def test_by_default_nothing_is_exported(stage: Stage, tmp_path: Path) -> None:
    """The trace goes on all the same, by the same bytes that an exporting service writes."""
    with collector() as found:
        settings = environment(stage.broker, stage.database_url, OTEL_EXPORTER_OTLP_ENDPOINT=found.url)
        with Service(settings, tmp_path) as service:
            await service.ready()
            await open_location(stage)
            await stage.send([traced(create("b-1"), 7)])
            await stage.settle()
            assert await stop(service) == 0
        assert found.requests == 0
    (event,) = await stage.events()
    # The span is made from account, channel, source, id and content of the command alone.
    assert event.header("traceparent") == f"00-{7:032x}-cbc6ff34a0a87a3c-01"


@pytest.mark.timeout(150)
@pytest.mark.parametrize("broken", ["failing", "silent"])
async def test_a_collector_that_is_away_changes_nothing(stage: Stage, tmp_path: Path, broken: str) -> None:
    """Commands are decided, events published, probes fine, and the process ends in good order and time."""
    with collector() as found, socket.create_server((LOOPBACK, 0)) as silent:
        found.status = 503
        url = found.url if broken == "failing" else f"http://{LOOPBACK}:{silent.getsockname()[1]}"
        with exporting(stage, url, tmp_path, OTEL_BSP_MAX_QUEUE_SIZE="512") as service:
            await service.ready()
            await open_location(stage)
            await stage.send([traced(create(f"b-{number}"), number + 1) for number in range(1_000)])
            await stage.settle()
            assert await asyncio.to_thread(service.problems) == []
            assert await stop(service) == 0, service.tail()
        assert len(await stage.events()) == 1_000
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert len(lines) < 200, "an outage of the collector does not flood the log"
