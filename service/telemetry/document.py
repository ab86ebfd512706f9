"""Writes this folder's README from the declarations: `python -m service.telemetry.document`."""

from pathlib import Path
from typing import Final

from service.telemetry.names import METRICS, Metric

README: Final = Path(__file__).parent / "README.md"
INTRODUCTION: Final = """\
# Telemetry

Made from `names.py` by `python -m service.telemetry.document`; change it there.

| file | holds |
|---|---|
| `names.py` | every metric, declared once |
| `meters.py` | the values of this process, added up batch by batch, and their text |
| `pulse.py` | signs of life of loops, and checks of what they depend on |
| `lookout.py` | how Kafka is asked, apart from the clients that work |
| `probes.py` | `/livez`, `/readyz`, `/metrics` over HTTP |
| `logs.py`, `told.py` | logs as JSON lines, and what may be said of an error |

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

- `livenessProbe`: `/livez`, with a `timeoutSeconds` of 5 or so. An event loop that hangs does not answer at all.
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
