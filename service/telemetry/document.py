"""Writes this folder's README from the declarations: `python -m service.telemetry.document`."""

from pathlib import Path
from typing import Final

from service.telemetry.metric import Metric
from service.telemetry.names import METRICS

README: Final = Path(__file__).parent / "README.md"
INTRODUCTION: Final = """\
# Telemetry

Made from `names.py` by `python -m service.telemetry.document`; change it there.

| file | holds |
|---|---|
| `metric.py`, `names.py` | every metric, declared once |
| `meters.py` | the values of this process, added up batch by batch, and their text |
| `pulse.py` | signs of life of loops, and checks of what they depend on |
| `lookout.py` | how Kafka is asked, apart from the clients that work |
| `watchdog.py` | ends the process when its event loop or a loop in it is stuck |
| `probes.py` | `/livez`, `/readyz`, `/metrics` over HTTP |
| `logs.py`, `told.py` | logs as JSON lines, and what may be said of an error |
| `traces.py`, `otlp.py` | what is told to a trace, and how it is exported |

## Probes

Served at `BOOKSTREAM_HTTP_ADDRESS`, 200 or 503, with the problems as JSON. `service/parts.py` judges.

| path | fails when | stays fine when |
|---|---|---|
| `/livez` | a loop has ended, or has not gone round for 120 s | PostgreSQL or Kafka is away, a batch waits for a \
lock, the start waits: a restart would mend none of them |
| `/readyz` | the process still starts; PostgreSQL or Kafka does not answer; a partition is stopped or has no position \
yet; the relay or the clock has had no session with PostgreSQL for 15 s | nothing is assigned: a standby worker, relay \
or clock is ready to take over |

PostgreSQL and Kafka are asked every 3 s, with 3 s to answer. In Kubernetes:

- `livenessProbe`: `/livez`, with a `timeoutSeconds` of 5 or so. An event loop that hangs does not \
answer at all; a watchdog thread ends the process for either reason after the same time, with the stacks of all \
threads on standard error.
- `readinessProbe`: `/readyz`. It holds back a rollout; no traffic depends on it.
- `startupProbe`: `/livez` too, never `/readyz`. It answers as soon as the process is up, before PostgreSQL and Kafka \
are there, and loops are judged only once they have begun: a start that waits for a server is not killed for it.

## Logs

One JSON object a line on standard error, with the names of OpenTelemetry's log data model: `timestamp`, \
`severity_text`, `severity_number`, `body`, `scope`, `resource`, `attributes` (`exception.type`, `exception.message`, \
`exception.stacktrace`).

- What commands say never gets in. An error is named by its class; its message stands there only where it is about \
servers and settings. Ids of messages do get in: senders must not put a person's data into `ce_id`.
- Everything but ASCII is escaped, so a line break in a header cannot begin a line.
- `BOOKSTREAM_LOG_LEVEL` is the level of the service's own loggers. `kill -USR1` switches it to DEBUG (from DEBUG to \
INFO), and back, without a restart. Libraries stay at INFO, since at DEBUG some of them write out what is on the wire.

## Traces

A command that comes with a valid `traceparent` (W3C Trace Context) hands its trace on: its events and results carry \
`00-<the sender's trace>-<the command's span>-<the sender's flags>`. The span's id is derived from the command, so a \
repeat, or the same command applied again after a restore, writes the same bytes. Nothing has to be switched on for \
that. What W3C calls invalid is ignored and refuses no command. `tracestate` is not passed on. Commands of timers have \
no trace.

Spans are exported where OpenTelemetry's own variables ask for it. By default nothing is, and its SDK is not loaded.

| variable | |
|---|---|
| `OTEL_TRACES_EXPORTER` | `otlp`; `none` is the default |
| `OTEL_EXPORTER_OTLP_ENDPOINT` | the collector, `http://localhost:4318` by default; over HTTP with protobuf alone |
| `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | who tells it, `bookstream` by default; the name stands in logs too |
| `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | by default `parentbased_always_on`: commands follow their \
senders; the argument of `parentbased_traceidratio` is the share of batches and sends beside them |
| `OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`, `OTEL_SDK_DISABLED` | what the SDK makes of them |

| span | kind | in the trace of | |
|---|---|---|---|
| `process <topic>` | CONSUMER | the command, beneath the sender's span | what events and results name; from the \
start of its batch to the commit; a link to the batch |
| `process batch` | CONSUMER | its own | links to the senders' spans; a child for each step of the flow |
| `send <topic>` | PRODUCER | its own | what the relay has sent at once; links to the commands' spans |

- Only commands that their senders record (flag `01`) make spans, a hundred of each batch or send at most; batches and \
sends without any make none. A repeat has a span of its own, since its answer names the first one's.
- Attributes are those of the semantic conventions for messaging, with ids of messages as in logs, and \
`bookstream.outcome` and `bookstream.refusal`. What commands say never gets in.
- Export is the business of a thread with a bounded queue: where the collector is away, spans are lost and nothing \
else. At the end of the process the last spans get 3 s.

## Metrics

In Prometheus' text format at `/metrics`; a process shows those of its roles. Values are of this process: sum \
counters over all of them. What is committed is counted: a batch that is tried again counts once, except in \
`bookstream_batch_retries_total`; where the answer to a commit was lost, the batch is missing. Beside these there are \
`process_*`, the usual figures of the process.

"""


def document() -> str:
    """The whole text."""
    rows = ["| metric | kind | unit | shown by | meaning |", "|---|---|---|---|---|", *map(_row, METRICS)]
    return INTRODUCTION + "\n".join(rows) + "\n"


def _row(metric: Metric) -> str:
    labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
    return f"| `{metric.name}{labels}` | {metric.kind} | {metric.unit} | {metric.shown_by} | {metric.meaning} |"


if __name__ == "__main__":
    README.write_text(document(), encoding="utf-8")
