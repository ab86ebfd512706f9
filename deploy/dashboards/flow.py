"""The way of a command, one row for each step, in the order of the flow; then what all of them need."""

from typing import Final

from deploy.dashboards.panels import (
    HERE,
    Dashboard,
    Panel,
    Query,
    Row,
    growth,
    least,
    mean,
    most,
    of_process,
    quantiles,
    rate,
    total,
)
from service.telemetry import names
from service.telemetry.metric import Metric

# The rows that are steps of a batch. Steps between them are shown with the next one, those after the last with it.
_TIMED: Final = ("decode", "dedupe", "load", "decide", "save", "outbox")


def _steps_of(row: str) -> tuple[str, ...]:
    """The steps of a batch that a row shows."""
    at = _TIMED.index(row)
    begin = names.STEPS.index(_TIMED[at - 1]) + 1 if at else 0
    end = names.STEPS.index(row) + 1 if row != _TIMED[-1] else len(names.STEPS)
    return names.STEPS[begin:end]


def _time(row: str) -> Panel:
    steps = _steps_of(row)
    where = f'step=~"{"|".join(steps)}"'
    return Panel(
        "Time of " + ", ".join(steps),
        "s",
        "Time of a committed batch in this step of the flow. Rounds after lost races are in it.",
        quantiles(names.BATCH_DURATION, "step", where=where),
    )


def _rate(title: str, unit: str, metric: Metric, *by: str, where: str = "", more: str = "") -> Panel:
    """A counter by its labels."""
    called = " ".join(f"{{{{{label}}}}}" for label in by) or title.lower()
    told = f"{metric.meaning}.{more}"
    return Panel(title, unit, told, (Query(rate(metric, *by, where=where), called),), stacked=bool(by))


CONSUME: Final = Row(
    "consume",
    (
        Panel(
            "Lag in seconds",
            "s",
            f"{names.LAG_SECONDS.meaning}.",
            (Query(most(names.LAG_SECONDS, "topic", "partition"), "{{topic}}/{{partition}}"),),
            alerts=("CommandsLate", "CommandsNearRetention"),
        ),
        Panel(
            "Lag in records",
            "short",
            f"{names.LAG_RECORDS.meaning}.",
            (Query(total(names.LAG_RECORDS, "topic"), "{{topic}}"),),
        ),
        Panel(
            "Partitions by state",
            "short",
            f"{names.CONSUMER_PARTITIONS.meaning}.",
            (Query(total(names.CONSUMER_PARTITIONS, "state"), "{{state}}"),),
        ),
        Panel(
            "Records handled",
            "recps",
            "Records of committed batches.",
            (Query(rate(names.BATCH_SIZE, "pod", part="_sum"), "{{pod}}"),),
            stacked=True,
        ),
        Panel(
            "Records in a batch",
            "short",
            "Batches adapt to what waits: small ones mean that the service keeps up.",
            (*quantiles(names.BATCH_SIZE), Query(mean(names.BATCH_SIZE), "mean")),
        ),
        Panel(
            "Records on a wrong partition",
            "short",
            f"{names.MISPLACED.meaning}. Growth within an hour.",
            (Query(growth(names.MISPLACED, "topic", over="1h"), "{{topic}}"),),
            alerts=("MisplacedRecords",),
        ),
    ),
)
DECODE: Final = Row(
    "decode",
    (
        _time("decode"),
        _rate("Dead letters", "recps", names.DEAD_LETTERS, "reason"),
        _rate("Commands by type", "cps", names.COMMANDS, "type"),
        Panel(
            "Refused without an answer",
            "short",
            f"{names.UNANSWERED.meaning}. Growth within 15 minutes.",
            (Query(growth(names.UNANSWERED, "pod", over="15m"), "{{pod}}"),),
            alerts=("Unanswered",),
        ),
    ),
)
DEDUPE: Final = Row(
    "dedupe",
    (
        _time("dedupe"),
        _rate("Commands that the inbox knew", "cps", names.INBOX_DUPLICATES, "pod"),
        _rate("Repeated commands", "cps", names.COMMANDS, "type", where='outcome="repeated"'),
    ),
)
LOAD: Final = Row(
    "load",
    (
        _time("load"),
        Panel(
            "Time by step",
            "s",
            "Mean time of a committed batch, by step: where a batch spends its time.",
            (Query(mean(names.BATCH_DURATION, "step"), "{{step}}"),),
            stacked=True,
        ),
    ),
)
DECIDE: Final = Row(
    "decide",
    (
        _time("decide"),
        _rate("Commands by outcome", "cps", names.COMMANDS, "outcome"),
        _rate("Refusals", "cps", names.REFUSALS, "error", "detail"),
    ),
)
SAVE: Final = Row(
    "save",
    (
        _time("save"),
        Panel(
            "Lost races",
            "cps",
            "What another transaction changed between load and save, and the commands that were decided again for it.",
            (
                Query(rate(names.VERSION_CONFLICTS), "keys that changed"),
                Query(rate(names.REDECIDED), "commands decided again"),
            ),
        ),
        Panel(
            "Batches tried again",
            "short",
            f"{names.BATCH_RETRIES.meaning}. Growth within 5 minutes; the alert is on `failed` alone.",
            (Query(growth(names.BATCH_RETRIES, "cause"), "{{cause}}"),),
            alerts=("BatchesFail",),
        ),
    ),
)
OUTBOX: Final = Row(
    "outbox",
    (
        _time("outbox"),
        _rate("Events written", "eps", names.EVENTS, "type"),
        Panel(
            "From append to commit",
            "s",
            f"{names.COMMAND_LATENCY.meaning}.",
            quantiles(names.COMMAND_LATENCY),
        ),
        Panel(
            "Rows that wait",
            "short",
            f"{names.OUTBOX_ROWS.meaning}.",
            (Query(total(names.OUTBOX_ROWS, "pod"), "{{pod}}"),),
        ),
        Panel(
            "Age of the oldest row",
            "s",
            f"{names.OUTBOX_AGE.meaning}.",
            (Query(most(names.OUTBOX_AGE), "oldest row"),),
            alerts=("EventsLate", "EventsNearRetention"),
        ),
    ),
)
RELAY: Final = Row(
    "relay",
    (
        _rate("Records published", "recps", names.RELAY_PUBLISHED, "topic"),
        Panel(
            "From append to acknowledged event", "s", f"{names.EVENT_LATENCY.meaning}.", quantiles(names.EVENT_LATENCY)
        ),
        Panel(
            "Active relay",
            "short",
            f"{names.RELAY_OWNER.meaning}.",
            (Query(most(names.RELAY_OWNER, "pod"), "{{pod}}"),),
            stacked=True,
        ),
        Panel(
            "Held partitions",
            "short",
            f"{names.RELAY_HELD.meaning}.",
            (Query(total(names.RELAY_HELD), "held partitions"),),
            alerts=("RelayHeld",),
        ),
    ),
)
CLOCK: Final = Row(
    "clock",
    (
        _rate("Timers sent", "cps", names.TIMERS_SENT, "pod"),
        Panel(
            "Timers due", "short", f"{names.TIMERS_DUE.meaning}.", (Query(total(names.TIMERS_DUE, "pod"), "{{pod}}"),)
        ),
        Panel(
            "Oldest timer that is not decided",
            "s",
            f"{names.TIMERS_LATE.meaning}.",
            (Query(most(names.TIMERS_LATE), "late by"),),
            alerts=("TimersLate",),
        ),
        Panel(
            "Active clock",
            "short",
            f"{names.CLOCK_OWNER.meaning}.",
            (Query(most(names.CLOCK_OWNER, "pod"), "{{pod}}"),),
            stacked=True,
        ),
        Panel("Commands remembered", "short", f"{names.INBOX_ROWS.meaning}.", (Query(most(names.INBOX_ROWS), "rows"),)),
        Panel(
            "Oldest command remembered",
            "s",
            f"{names.INBOX_AGE.meaning}.",
            (Query(most(names.INBOX_AGE), "age"),),
            alerts=("ForgettingBehind",),
        ),
        _rate("Commands forgotten", "cps", names.INBOX_FORGOTTEN, "pod"),
    ),
)
RESOURCES: Final = Row(
    "resources",
    (
        Panel(
            "Connections to PostgreSQL",
            "short",
            f"{names.DATABASE_POOL.meaning}.",
            (Query(total(names.DATABASE_POOL, "state"), "{{state}}"),),
            stacked=True,
        ),
        Panel(
            "Since a loop went round",
            "s",
            f"{names.LOOP_AGE.meaning}.",
            (Query(most(names.LOOP_AGE, "pod", "loop"), "{{pod}} {{loop}}"),),
            alerts=("LoopStuck",),
        ),
        Panel(
            "PostgreSQL and Kafka",
            "short",
            f"{names.DEPENDENCY_UP.meaning}.",
            (Query(least(names.DEPENDENCY_UP, "dependency"), "{{dependency}}"),),
            alerts=("DependencyDown",),
        ),
        Panel(
            "Processor",
            "short",
            "Cores that a pod uses.",
            (Query(f"sum by (pod) (rate(process_cpu_seconds_total{{{HERE}}}[$__rate_interval]))", "{{pod}}"),),
        ),
        Panel("Memory", "bytes", "Resident memory.", (Query(of_process("process_resident_memory_bytes"), "{{pod}}"),)),
        Panel("Open files", "short", "Sockets included.", (Query(of_process("process_open_fds"), "{{pod}}"),)),
    ),
)

FLOW: Final = Dashboard(
    "flow",
    "bookstream: flow",
    "The way of a command, one row for each step, in the order of the flow.",
    (CONSUME, DECODE, DEDUPE, LOAD, DECIDE, SAVE, OUTBOX, RELAY, CLOCK, RESOURCES),
)
