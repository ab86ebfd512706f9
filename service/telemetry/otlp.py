"""Spans as OpenTelemetry has them, exported over OTLP by a thread of the SDK's own.

They are made when a batch is through, from what was noted on the way: nothing is current while commands are decided.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, Self

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from service.telemetry.logs import resource
from service.telemetry.traces import CommandSpan, Lap
from service.trace_context import span_of, trace_of

log = logging.getLogger(__name__)

# Spans and links of one batch: what a trace is asked for is an example, and what it costs must have a bound.
MOST_COMMANDS: Final = 100
MOST_STEPS: Final = 32
CLOSING_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.05
BROKEN: Final = "internal_error"


class ChosenIds(RandomIdGenerator):
    """Draws ids, but gives the next span the one that was chosen for it."""

    def __init__(self) -> None:
        self.chosen: int | None = None

    def generate_span_id(self) -> int:
        """Give the chosen id once."""
        chosen, self.chosen = self.chosen, None
        return super().generate_span_id() if chosen is None else chosen


class OtlpTraces:
    """Makes spans of batches, of their sampled commands, and of what the relay sends."""

    def __init__(self, provider: TracerProvider, ids: ChosenIds, prefix: str, group: str) -> None:
        """`ids` are those of the provider; `prefix` and `group` are Kafka's."""
        self._provider = provider
        self._ids = ids
        self._prefix = prefix
        self._tracer = provider.get_tracer("bookstream")
        self._system = {"messaging.system": "kafka"}
        self._process = {
            **self._system,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": group,
        }
        self._send = {**self._system, "messaging.operation.name": "send", "messaging.operation.type": "send"}

    @classmethod
    def from_environment(cls, prefix: str, group: str) -> Self:
        """Reads OpenTelemetry's variables, as its SDK does: endpoint, sampler, limits, resource."""
        ids = ChosenIds()
        provider = TracerProvider(
            resource=Resource(resource()).merge(OTELResourceDetector().detect()),
            shutdown_on_exit=False,
            id_generator=ids,
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider, ids, prefix, group)

    def batch(self, laps: Sequence[Lap], records: int, commands: Iterable[CommandSpan]) -> None:
        """A span of the batch with its steps, and one of each command; of no sampled command nothing is told."""
        with _harmless("a batch"):
            chosen = list(islice(commands, MOST_COMMANDS))
            if chosen:
                self._batch(laps, records, chosen)

    def _batch(self, laps: Sequence[Lap], records: int, commands: Sequence[CommandSpan]) -> None:
        offset = time.time() - time.monotonic()
        began, ended = (_nanoseconds(at + offset) for at in (laps[0][1], laps[-1][2]))
        senders = [_context(command.traceparent) for command in commands]
        whole = self._tracer.start_span(
            "process batch",
            kind=SpanKind.CONSUMER,
            attributes={**self._process, "messaging.batch.message_count": records},
            links=[Link(sender) for sender in senders],
            start_time=began,
        )
        context = set_span_in_context(whole)
        for step, start, end in laps[:MOST_STEPS]:
            part = self._tracer.start_span(step, context, start_time=_nanoseconds(start + offset))
            part.end(_nanoseconds(end + offset))
        whole.end(ended)
        own = whole.get_span_context()
        links = [Link(own)] if own.trace_flags.sampled else []
        for command, sender in zip(commands, senders, strict=True):
            self._command(command, sender, links, began, ended)

    def _command(
        self, command: CommandSpan, sender: SpanContext, links: Sequence[Link], began: int, ended: int
    ) -> None:
        topic = self._prefix + command.topic
        self._ids.chosen = None if command.own is None else int(command.own, 16)
        span = self._tracer.start_span(
            f"process {topic}",
            set_span_in_context(NonRecordingSpan(sender)),
            SpanKind.CONSUMER,
            {
                **self._process,
                "messaging.destination.name": topic,
                "messaging.destination.partition.id": str(command.partition),
                "messaging.kafka.offset": command.offset,
                "messaging.message.id": command.id,
                "cloudevents.event_type": command.type,
                "bookstream.outcome": command.outcome,
                **({} if command.refusal is None else {"bookstream.refusal": command.refusal}),
            },
            links,
            began,
        )
        if command.refusal == BROKEN:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def sent(self, began: float, topics: Mapping[str, int], traceparents: Iterable[str]) -> None:
        """A span of what the relay has sent at once."""
        with _harmless("a send"):
            self._sent(began, topics, traceparents)

    def _sent(self, began: float, topics: Mapping[str, int], traceparents: Iterable[str]) -> None:
        links = [Link(_context(traceparent)) for traceparent in islice(traceparents, MOST_COMMANDS)]
        if not links:
            return
        named = {"messaging.destination.name": self._prefix + next(iter(topics))} if len(topics) == 1 else {}
        now = time.time()
        span = self._tracer.start_span(
            " ".join(("send", *named.values())),
            kind=SpanKind.PRODUCER,
            attributes={**self._send, **named, "messaging.batch.message_count": sum(topics.values())},
            links=links,
            start_time=_nanoseconds(now - (time.monotonic() - began)),
        )
        span.end(_nanoseconds(now))

    async def close(self) -> None:
        """Exports what is left; a collector that does not answer is given up after seconds."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        until = time.monotonic() + CLOSING_SECONDS
        while ending.is_alive():
            if time.monotonic() > until:
                log.warning("the last spans could not be exported")
                return
            await asyncio.sleep(_LOOK_SECONDS)


@contextmanager
def _harmless(what: str) -> Iterator[None]:
    """What is told was done already: it must not be done again because it could not be told."""
    try:
        yield
    except Exception:
        log.exception("%s left no trace", what)


def _context(traceparent: str) -> SpanContext:
    return SpanContext(
        int(trace_of(traceparent), 16), int(span_of(traceparent), 16), is_remote=True, trace_flags=TraceFlags(1)
    )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
