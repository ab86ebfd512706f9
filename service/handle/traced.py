"""What a batch's sampled commands have to tell to a trace."""

from collections.abc import Iterator, Sequence

from service.handle.decided import Decided
from service.outbox.trace import own_traceparent
from service.telemetry.names import REPEATED
from service.telemetry.traces import CommandSpan
from service.trace_context import is_sampled, span_of


def spans_of(decided: Sequence[Decided]) -> Iterator[CommandSpan]:
    """Gives the commands whose senders record their traces, in the order in which they were decided."""
    for one in decided:
        envelope, record = one.received.envelope, one.received.record
        traceparent = envelope.traceparent
        if traceparent is None or not is_sampled(traceparent):
            continue
        own = own_traceparent(one.received)
        yield CommandSpan(
            traceparent,
            # The span that a repeat's answer names was there the first time.
            None if own is None or one.outcome == REPEATED else span_of(own),
            record.topic,
            record.partition,
            record.offset,
            envelope.id,
            envelope.type,
            one.outcome,
            one.refusal,
        )
