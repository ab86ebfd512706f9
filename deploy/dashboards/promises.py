"""What the service promises, on one page: for each alert the number that it looks at, with its threshold."""

from typing import Final

from deploy.dashboards.panels import Dashboard, Panel, Query, Row, growth, least, most, quantiles, recorded, total
from service.telemetry import names


def _number(title: str, unit: str, description: str, expr: str, *alerts: str) -> Panel:
    return Panel(title, unit, description, (Query(expr, title.lower()),), alerts)


COMMANDS: Final = Row(
    "Commands are decided",
    (
        _number(
            "Alerts that fire",
            "short",
            "How many alerts of bookstream fire now.",
            'count(ALERTS{namespace="$namespace",alertname=~"Bookstream.+",alertstate="firing"}) or vector(0)',
        ),
        _number(
            "Oldest command that is not handled",
            "s",
            "How long it has waited. Topics keep commands for 7 days.",
            recorded("namespace:bookstream_consumer_lag_seconds:max"),
            "CommandsLate",
            "CommandsNearRetention",
        ),
        _number(
            "Records that wait",
            "short",
            "In all partitions. The alert fires when some wait and none is handled.",
            total(names.LAG_RECORDS),
            "NoProgress",
        ),
        _number(
            "Partitions that move",
            "short",
            "All partitions of the topics that are consumed should.",
            recorded("namespace:bookstream_consumer_partitions:moving"),
            "NoPartitionMoves",
        ),
        _number(
            "Consumption is paused",
            "short",
            "1 while it is, by hand or for too many defects.",
            most(names.PAUSED),
            "Paused",
        ),
        _number(
            "Partitions that are stopped",
            "short",
            "Their position in PostgreSQL does not fit the log.",
            total(names.CONSUMER_PARTITIONS, where='state="stopped"'),
            "PartitionStopped",
        ),
        Panel("From append to commit", "s", f"{names.COMMAND_LATENCY.meaning}.", quantiles(names.COMMAND_LATENCY)),
    ),
)
RIGHTLY: Final = Row(
    "Each command has its effect once, and an answer",
    (
        _number(
            "Dead letters",
            "percentunit",
            "Of the records of 15 minutes.",
            recorded("namespace:bookstream_dead_letters_total:ratio_rate15m"),
            "DeadLetters",
        ),
        _number(
            "Defects",
            "percentunit",
            "Commands refused with internal_error, of all commands of 15 minutes.",
            recorded("namespace:bookstream_refusals_total:internal_error_ratio_rate15m"),
            "InternalErrors",
        ),
        _number(
            "Decided again after a lost race",
            "percentunit",
            "Of the commands of 15 minutes.",
            recorded("namespace:bookstream_redecided_commands_total:ratio_rate15m"),
            "VersionConflicts",
        ),
        _number(
            "Batches given up for a defect",
            "short",
            "Within 5 minutes; they are tried again.",
            growth(names.BATCH_RETRIES, where='cause="failed"'),
            "BatchesFail",
        ),
        _number(
            "Records on a wrong partition",
            "short",
            "Within an hour.",
            growth(names.MISPLACED, over="1h"),
            "MisplacedRecords",
        ),
    ),
)
EVENTS: Final = Row(
    "Events are published, in order",
    (
        _number(
            "Oldest row of the outbox",
            "s",
            "Events, results and dead letters that are not published yet.",
            recorded("namespace:bookstream_outbox_oldest_age_seconds:max"),
            "EventsLate",
            "EventsNearRetention",
        ),
        _number(
            "Rows that wait",
            "short",
            "In the outbox. The alert fires when some wait and none is published.",
            total(names.OUTBOX_ROWS),
            "RelayNoProgress",
        ),
        _number("Held partitions", "short", "The relay cannot send to them.", total(names.RELAY_HELD), "RelayHeld"),
        _number(
            "Active relays",
            "short",
            "It must be one.",
            recorded("namespace:bookstream_relay_owner:sum"),
            "NoRelayOwner",
            "TwoRelayOwners",
        ),
        Panel(
            "From append to acknowledged event", "s", f"{names.EVENT_LATENCY.meaning}.", quantiles(names.EVENT_LATENCY)
        ),
    ),
)
REST: Final = Row(
    "Timers come in time, and what all need is there",
    (
        _number(
            "Oldest timer that is not decided",
            "s",
            "Since it was due.",
            recorded("namespace:bookstream_timers_late_seconds:max"),
            "TimersLate",
        ),
        _number(
            "Active clocks",
            "short",
            "It must be one.",
            recorded("namespace:bookstream_clock_owner:sum"),
            "NoClockOwner",
        ),
        Panel(
            "PostgreSQL and Kafka",
            "short",
            "0 while one of the pods gets no answer.",
            (Query(least(names.DEPENDENCY_UP, "dependency"), "{{dependency}}"),),
            ("DependencyDown",),
        ),
        Panel(
            "Since a loop went round",
            "s",
            "After 120 s the pod is started anew.",
            (Query(most(names.LOOP_AGE, "pod", "loop"), "{{pod}} {{loop}}"),),
            ("LoopStuck",),
        ),
    ),
)

PROMISES: Final = Dashboard(
    "promises",
    "bookstream: promises",
    "What the service promises, with the thresholds of its alerts.",
    (COMMANDS, RIGHTLY, EVENTS, REST),
)
