"""Every metric, declared once: name, kind, unit, meaning. Whoever counts names the constant, never the text."""

from typing import Final

from service.telemetry.metric import LONG_TIMES, SHORT_TIMES, SIZES, Metric

# What is counted no further, since beyond it the number says nothing new.
MOST_COUNTED: Final = 100_000

# Outcomes of a command, in `COMMANDS`.
APPLIED: Final = "applied"
UNCHANGED: Final = "unchanged"
VALIDATED: Final = "validated"
REFUSED: Final = "refused"
REPEATED: Final = "repeated"
OBSOLETE: Final = "obsolete"
OUTCOMES: Final = (APPLIED, UNCHANGED, VALIDATED, REFUSED, REPEATED, OBSOLETE)

# Steps of a batch, in `BATCH_DURATION`.
STEPS: Final = ("decode", "progress", "limits", "dedupe", "load", "decide", "save", "remember", "outbox", "commit")

# Why a batch is tried again, in `BATCH_RETRIES`.
RETRIES: Final = ("race", "unavailable", "partition_lost", "failed")

COMMANDS: Final = Metric(
    "bookstream_commands_total",
    "counter",
    "commands",
    "Commands whose outcome is committed. `repeated`: decided before, the first answer stands; `obsolete`: the timer "
    "that sent it is gone",
    "worker",
    ("type", "outcome"),
)
REFUSALS: Final = Metric(
    "bookstream_refusals_total",
    "counter",
    "commands",
    "Refused commands by the `error` and `detail` of their result",
    "worker",
    ("error", "detail"),
)
UNANSWERED: Final = Metric(
    "bookstream_unanswered_refusals_total",
    "counter",
    "commands",
    "Commands that nobody signed as they should, refused without a result, since this process had published as many of "
    "those as it does in a minute",
    "worker",
)
EVENTS: Final = Metric(
    "bookstream_events_total", "counter", "events", "Change events written with their change", "worker", ("type",)
)
DEAD_LETTERS: Final = Metric(
    "bookstream_dead_letters_total",
    "counter",
    "records",
    "Records kept as dead letters, by `dlq_reason`",
    "worker",
    ("reason",),
)
INBOX_DUPLICATES: Final = Metric(
    "bookstream_inbox_duplicates_total",
    "counter",
    "commands",
    "Commands that the inbox knew: repeats with the same content, and ids used again with other content",
    "worker",
)
MISPLACED: Final = Metric(
    "bookstream_misplaced_records_total",
    "counter",
    "records",
    "Records on another partition than the murmur2 of their key names: the sender partitions otherwise, so records of "
    "one key may overtake each other",
    "worker",
    ("topic",),
)
BATCH_SIZE: Final = Metric(
    "bookstream_batch_size", "histogram", "records", "Records of a committed batch", "worker", bounds=SIZES
)
BATCH_DURATION: Final = Metric(
    "bookstream_batch_duration_seconds",
    "histogram",
    "seconds",
    "Time of a committed batch by step of the flow; rounds after lost races are in it",
    "worker",
    ("step",),
    SHORT_TIMES,
)
BATCH_RETRIES: Final = Metric(
    "bookstream_batch_retries_total",
    "counter",
    "batches",
    "Transactions that were given up: `race` (a deadlock), `unavailable` (PostgreSQL), `partition_lost` (another "
    "process has it), `failed` (a defect)",
    "worker",
    ("cause",),
)
VERSION_CONFLICTS: Final = Metric(
    "bookstream_version_conflicts_total",
    "counter",
    "keys",
    "Aggregates, groups and claims that another transaction changed between load and save",
    "worker",
)
REDECIDED: Final = Metric(
    "bookstream_redecided_commands_total",
    "counter",
    "commands",
    "Commands decided again after a lost race; one may count more than once",
    "worker",
)
COMMAND_LATENCY: Final = Metric(
    "bookstream_command_latency_seconds",
    "histogram",
    "seconds",
    "From the append time of a command to the commit of its outcome",
    "worker",
    bounds=LONG_TIMES,
)
CONSUMER_PARTITIONS: Final = Metric(
    "bookstream_consumer_partitions",
    "gauge",
    "partitions",
    "Assigned partitions: `moving`, `waiting` for their position, `stopped` (see /readyz)",
    "worker",
    ("state",),
)
PAUSED: Final = Metric(
    "bookstream_paused",
    "gauge",
    "1 or 0",
    "Whether consumption is paused, in all processes: by hand, or because too many commands broke a rule of ours",
    "worker",
)
LAG_RECORDS: Final = Metric(
    "bookstream_consumer_lag_records",
    "gauge",
    "records",
    "Offsets between a partition's end and what is committed in PostgreSQL; absent while Kafka does not answer",
    "worker",
    ("topic", "partition"),
)
LAG_SECONDS: Final = Metric(
    "bookstream_consumer_lag_seconds",
    "gauge",
    "seconds",
    "How long the oldest record that is not handled has waited, to within a few seconds; 0 when there is none",
    "worker",
    ("topic", "partition"),
)
OUTBOX_ROWS: Final = Metric(
    "bookstream_outbox_rows",
    "gauge",
    "rows",
    f"Rows that wait to be published, counted up to {MOST_COUNTED:,}; measured by the active relay alone",
    "relay",
)
OUTBOX_AGE: Final = Metric(
    "bookstream_outbox_oldest_age_seconds",
    "gauge",
    "seconds",
    "Age of the first row that waits to be published, 0 when there is none; measured by every relay, so that it is "
    "known when none is active: take the max",
    "relay",
)
RELAY_OWNER: Final = Metric(
    "bookstream_relay_owner", "gauge", "1 or 0", "Whether this process is the active relay; the sum must be 1", "relay"
)
RELAY_PUBLISHED: Final = Metric(
    "bookstream_relay_published_total",
    "counter",
    "records",
    "Records that Kafka has acknowledged, by topic without its prefix; repeats after an outage included",
    "relay",
    ("topic",),
)
RELAY_HELD: Final = Metric(
    "bookstream_relay_held_partitions",
    "gauge",
    "partitions",
    "Partitions that the relay cannot send to now; the log says why",
    "relay",
)
EVENT_LATENCY: Final = Metric(
    "bookstream_event_latency_seconds",
    "histogram",
    "seconds",
    "From the append time of a command to Kafka's acknowledgement of its event",
    "relay",
    bounds=LONG_TIMES,
)
CLOCK_OWNER: Final = Metric(
    "bookstream_clock_owner", "gauge", "1 or 0", "Whether this process is the active clock; the sum must be 1", "clock"
)
TIMERS_SENT: Final = Metric(
    "bookstream_timers_sent_total",
    "counter",
    "timers",
    "Timers that became commands; one without an answer is sent again and counts again",
    "clock",
)
TIMERS_DUE: Final = Metric(
    "bookstream_timers_due",
    "gauge",
    "timers",
    f"Timers that are due and not decided, counted up to {MOST_COUNTED:,}; measured by the active clock alone",
    "clock",
)
TIMERS_LATE: Final = Metric(
    "bookstream_timers_late_seconds",
    "gauge",
    "seconds",
    "How long ago the oldest timer that is not decided was due, 0 when none is; measured by every clock: take the max",
    "clock",
)
INBOX_ROWS: Final = Metric(
    "bookstream_inbox_rows",
    "gauge",
    "rows",
    "Commands that are remembered, as PostgreSQL estimates it; each clock shows the same: take the max",
    "clock",
)
INBOX_AGE: Final = Metric(
    "bookstream_inbox_oldest_age_seconds",
    "gauge",
    "seconds",
    "Age of the oldest command that is remembered; beyond the retention, forgetting is behind. Take the max",
    "clock",
)
INBOX_FORGOTTEN: Final = Metric(
    "bookstream_inbox_forgotten_total",
    "counter",
    "commands",
    "Commands that were forgotten after `BOOKSTREAM_INBOX_RETENTION_DAYS`",
    "clock",
)
DATABASE_POOL: Final = Metric(
    "bookstream_database_pool",
    "gauge",
    "connections",
    "Connections to PostgreSQL: `busy`, `idle`, and `unopened` ones that there may still be; the sum is the limit",
    "every",
    ("state",),
)
LOOP_AGE: Final = Metric(
    "bookstream_loop_age_seconds",
    "gauge",
    "seconds",
    "Since a loop last went round: `consumer` asks for records, `batch` takes a step (0 between batches), `relay`, "
    "`clock`. What /livez judges",
    "every",
    ("loop",),
    together="max",
)
DEPENDENCY_UP: Final = Metric(
    "bookstream_dependency_up",
    "gauge",
    "1 or 0",
    "Whether `postgresql` and `kafka` answered this process lately. What /readyz judges",
    "every",
    ("dependency",),
    together="min",
)

METRICS: Final[tuple[Metric, ...]] = (
    COMMANDS,
    REFUSALS,
    UNANSWERED,
    EVENTS,
    DEAD_LETTERS,
    INBOX_DUPLICATES,
    MISPLACED,
    BATCH_SIZE,
    BATCH_DURATION,
    BATCH_RETRIES,
    VERSION_CONFLICTS,
    REDECIDED,
    COMMAND_LATENCY,
    CONSUMER_PARTITIONS,
    PAUSED,
    LAG_RECORDS,
    LAG_SECONDS,
    OUTBOX_ROWS,
    OUTBOX_AGE,
    RELAY_OWNER,
    RELAY_PUBLISHED,
    RELAY_HELD,
    EVENT_LATENCY,
    CLOCK_OWNER,
    TIMERS_SENT,
    TIMERS_DUE,
    TIMERS_LATE,
    INBOX_ROWS,
    INBOX_AGE,
    INBOX_FORGOTTEN,
    DATABASE_POOL,
    LOOP_AGE,
    DEPENDENCY_UP,
)
