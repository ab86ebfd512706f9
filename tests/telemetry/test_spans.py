"""Which spans a batch leaves, on a real PostgreSQL, and what OpenTelemetry's variables make of them."""

import subprocess
import sys
import time
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.errors import SettingsError
from service.relay.survey import sampled_traceparents
from service.relay.window import Row
from service.telemetry.otlp import MOST_COMMANDS, ChosenIds, OtlpTraces
from service.telemetry.traces import open_traces
from service.trace_context import span_of
from tests.handle.harness import Bench
from tests.support.records import create, record, update

SAMPLED, UNSAMPLED = "01", "00"


class Spans:
    """The spans of a batch transaction."""

    def __init__(self, bench: Bench) -> None:
        self._exporter = InMemorySpanExporter()
        ids = ChosenIds()
        provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = OtlpTraces(provider, ids, "", "bookstream")
        bench.transaction._traces = self.traces

    def take(self) -> list[ReadableSpan]:
        """The spans since the last time."""
        found = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        return found

    def commands(self) -> list[ReadableSpan]:
        """Those of commands."""
        return [span for span in self.take() if span.parent is not None and span.parent.is_remote]


@pytest.fixture
def spans(bench: Bench) -> Spans:
    """What the bench's batches leave."""
    return Spans(bench)


def traceparent(number: int, flags: str = SAMPLED) -> str:
    """A sender's trace."""
    return f"00-{number:032x}-00f067aa0ba902b7-{flags}"


def note(number: int, flags: str = SAMPLED, command_id: str | None = None) -> Any:
    """A change of booking b-1."""
    data = update(patch={"notes": str(number)})
    return record("update-booking", data, command_id or f"u-{number}", traceparent=traceparent(number, flags))


async def test_what_nobody_records_costs_no_span(bench: Bench, spans: Spans) -> None:
    """Neither a command without a trace, nor one whose sender doesn't record it, nor their batch."""
    await bench.apply(record("create-booking", create()), note(1, UNSAMPLED))
    assert spans.take() == []


@pytest.mark.parametrize("sampled", [1, MOST_COMMANDS, MOST_COMMANDS + 1])
async def test_spans_of_a_batch_are_bounded(bench: Bench, spans: Spans, sampled: int) -> None:
    """A flood of sampled commands leaves a hundred spans and links of each batch, no more."""
    await bench.apply(record("create-booking", create()))
    await bench.apply(*(note(number) for number in range(1, sampled + 1)))
    found = spans.take()
    (batch,) = [span for span in found if span.name == "process batch"]
    of_commands = [span for span in found if span.name == "process booking-commands"]
    assert len(of_commands) == len(batch.links) == min(sampled, MOST_COMMANDS)
    assert batch.attributes is not None
    assert batch.attributes["messaging.batch.message_count"] == sampled


async def test_a_repeat_has_a_span_of_its_own(bench: Bench, spans: Spans) -> None:
    """Its answer names the first one's span, which must not be told twice."""
    await bench.apply(record("create-booking", create()))
    (event,) = await bench.apply(note(1))
    await bench.apply(note(1))
    first, again = spans.commands()
    assert first.context is not None
    assert again.context is not None
    assert f"{first.context.span_id:016x}" == span_of(event.headers["traceparent"])
    assert again.context.span_id != first.context.span_id
    assert (again.attributes or {})["bookstream.outcome"] == "repeated"


async def test_a_broken_rule_is_an_error(bench: Bench, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is an answer, a defect of ours is an error."""
    await bench.apply(record("create-booking", create()))
    await bench.apply(record("update-booking", update("nobody"), traceparent=traceparent(1)))
    (refused,) = spans.commands()

    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("service.handle.fold.decide", broken)
    await bench.apply(note(2))
    (failed,) = spans.commands()
    assert (refused.status.is_unset, failed.status.is_ok) == (True, False)
    assert [(span.attributes or {})["bookstream.refusal"] for span in (refused, failed)] == [
        "booking",
        "internal_error",
    ]


@pytest.mark.parametrize(("sampler", "commands"), [("always_off", 0), ("parentbased_always_off", 1), ("always_on", 1)])
async def test_the_sampler_is_heeded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, sampler: str, commands: int
) -> None:
    """What OTEL_TRACES_SAMPLER leaves out is not told; of a parent-based one, the command's span follows its sender."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    spans = Spans(bench)
    await bench.apply(record("create-booking", create()))
    await bench.apply(note(1))
    found = spans.take()
    of_commands = [span for span in found if span.parent is not None and span.parent.is_remote]
    assert len(of_commands) == commands
    assert bool([span for span in found if span.name == "process batch"]) == (sampler == "always_on")
    assert all(bool(span.links) == (sampler == "always_on") for span in of_commands)


async def test_a_broken_trace_breaks_no_batch(bench: Bench, spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch was committed: whatever happens then must not have it handled again."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("x")

    monkeypatch.setattr(spans.traces._tracer, "start_span", broken)
    await bench.apply(record("create-booking", create()))
    (event,) = await bench.apply(note(1))
    assert event.value["version"] == 2
    spans.traces.sent(time.monotonic(), {"booking-events": 1}, [traceparent(1)])


async def test_the_relay_reads_traces_from_rows(bench: Bench) -> None:
    """Each sampled one once, whatever else stands in the headers."""
    await bench.apply(record("create-booking", create()), note(1), note(2, UNSAMPLED), note(3))
    await bench.apply(
        record("update-booking", update(), ce_correlationid=f'["traceparent","{traceparent(9)}"]'),
        record("update-booking", b"no json", traceparent="nonsense"),
    )
    rows = [Row(*row) for row in await bench.pool.fetch("SELECT seq, topic, key, headers, value FROM outbox")]
    found = list(sampled_traceparents([*rows, *rows]))
    assert [int(each[3:35], 16) for each in found] == [1, 3]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_TRACES_EXPORTER": ""},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_nothing_is_exported_unless_asked_for(variables: dict[str, str]) -> None:
    """The default of the service is none, whatever else is set."""
    assert open_traces(variables, "", "bookstream") is None


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "jaeger"},
            "OTEL_TRACES_EXPORTER: expected otlp or none, not jaeger; for example otlp",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not available; for example http/protobuf",
        ),
    ],
)
def test_what_is_not_available(variables: dict[str, str], message: str) -> None:
    """It stops the start with the name, the problem and an example."""
    with pytest.raises(SettingsError) as caught:
        open_traces(variables, "", "bookstream")
    assert str(caught.value) == message


def test_a_service_that_exports_nothing_loads_nothing() -> None:
    """Neither the SDK nor protobuf are in a process that is wired as by default."""
    code = (
        "import sys, service.worker; sys.exit(any(m.startswith(('opentelemetry.sdk', 'google')) for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
