"""For each alert the series at which it fires, and those just short of that.

In promtool's notation, one value a minute: `0+6x40` is a counter that grows by 6 a minute, `7x40` a gauge that stays
at 7.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Series = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """`fires` does at minute `at` and not a minute before; none of `quiet` ever does."""

    alert: str
    fires: Series
    at: int
    told: str
    quiet: tuple[Series, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


def _one(metric: str, value: str, labels: str = "") -> Series:
    more = f",{labels}" if labels else ""
    return {f'{metric}{{namespace="n",pod="a"{more}}}': value}


_UP: Final = _one("bookstream_dependency_up", "1x60", 'dependency="postgresql"')
_LAG: Final = 'topic="booking-commands",partition="1"'


def _lag(value: str) -> Series:
    """Two partitions, one of them caught up."""
    return {
        **_one("bookstream_consumer_lag_seconds", value, _LAG),
        **_one("bookstream_consumer_lag_seconds", "0x60", 'topic="booking-commands",partition="2"'),
    }


def _waiting(records: str, handled: str) -> Series:
    return {**_one("bookstream_consumer_lag_records", records, _LAG), **_one("bookstream_batch_size_sum", handled)}


def _partitions(state: str, value: str) -> Series:
    return {**_UP, **_one("bookstream_consumer_partitions", value, f'state="{state}"')}


def _dead(value: str) -> Series:
    return {
        **_one("bookstream_dead_letters_total", value, 'reason="invalid_json"'),
        **_one("bookstream_batch_size_sum", "0+6000x60"),
    }


def _of_commands(metric: str, value: str, labels: str = "") -> Series:
    return {
        **_one(metric, value, labels),
        **_one("bookstream_commands_total", "0+40000x60", 'type="update-booking",outcome="applied"'),
        **_one("bookstream_commands_total", "0+20000x60", 'type="update-visit",outcome="refused"'),
    }


_DEFECT: Final = 'error="internal_error",detail="internal_error"'


def _outbox(rows: str, published: str) -> Series:
    return {
        **_one("bookstream_outbox_rows", rows),
        **_one("bookstream_relay_published_total", published, 'topic="booking-events"'),
    }


def _owners(metric: str, first: str, second: str) -> Series:
    return {**_UP, **_one(metric, first), f'{metric}{{namespace="n",pod="b"}}': second}


CASES: Final = (
    Case(
        "CommandsLate",
        _lag("121x60"),
        5,
        "The oldest command that is not handled has waited for 2m 1s.",
        (_lag("120x60"), _lag("121x4 0x60")),
    ),
    Case(
        "CommandsNearRetention",
        _lag("302401x60"),
        1,
        "The oldest command that is not handled has waited for 3d 12h 0m 1s; its topic keeps it for 7 days.",
        (_lag("302400x60"),),
    ),
    Case(
        "NoProgress",
        _waiting("1x60", "5x60"),
        5,
        "1 records wait, and none was handled for 5 minutes.",
        (_waiting("1x60", "5+1x60"), _waiting("0x60", "5x60")),
    ),
    Case(
        "NoPartitionMoves",
        _partitions("moving", "0x60"),
        2,
        "0 partitions are handled by a worker.",
        (_partitions("moving", "1x60"),),
    ),
    Case("NoPartitionMoves", _UP, 2, "0 partitions are handled by a worker.", ()),
    Case(
        "Paused",
        _one("bookstream_paused", "1x60"),
        1,
        "No commands are handled until somebody resumes (paused is 1).",
        (_one("bookstream_paused", "0x60"),),
    ),
    Case(
        "PartitionStopped",
        _partitions("stopped", "1x60"),
        1,
        "1 partitions are stopped, since the position in PostgreSQL does not fit the log.",
        (_partitions("stopped", "0x60"), _partitions("waiting", "1x60")),
    ),
    Case(
        "MisplacedRecords",
        _one("bookstream_misplaced_records_total", "0x9 1x60", 'topic="booking-commands"'),
        10,
        "About 1 records of booking-commands lay on a wrong partition within an hour.",
        (_one("bookstream_misplaced_records_total", "1x60", 'topic="booking-commands"'),),
        {"topic": "booking-commands"},
    ),
    Case(
        "DeadLetters",
        _dead("0+61x60"),
        6,
        "1.017% of the records of 15 minutes became dead letters.",
        (_dead("0+59x60"),),
    ),
    Case(
        "Unanswered",
        _one("bookstream_unanswered_refusals_total", "0x4 1x60"),
        10,
        "About 1 commands of 15 minutes were refused without a result.",
        (_one("bookstream_unanswered_refusals_total", "1x60"),),
    ),
    Case(
        "InternalErrors",
        _of_commands("bookstream_refusals_total", "0+61x60", _DEFECT),
        2,
        "0.1017% of the commands of 15 minutes were refused with internal_error.",
        (
            _of_commands("bookstream_refusals_total", "0+59x60", _DEFECT),
            _of_commands("bookstream_refusals_total", "0+6000x60", 'error="not_found",detail="booking"'),
        ),
    ),
    Case(
        "BatchesFail",
        _one("bookstream_batch_retries_total", "0x4 1x4 2x4 3x60", 'cause="failed"'),
        10,
        "About 1 batches of 5 minutes were given up for a defect and tried again.",
        (
            _one("bookstream_batch_retries_total", "0+9x60", 'cause="race"'),
            _one("bookstream_batch_retries_total", "0 1x60", 'cause="failed"'),
        ),
    ),
    Case(
        "VersionConflicts",
        _of_commands("bookstream_redecided_commands_total", "0+6050x60"),
        16,
        "10.08% of the commands of 15 minutes were decided again after a lost race.",
        (_of_commands("bookstream_redecided_commands_total", "0+5950x60"),),
    ),
    Case(
        "EventsLate",
        _one("bookstream_outbox_oldest_age_seconds", "61x60"),
        2,
        "The oldest event, result or dead letter that is not published is 1m 1s old.",
        (_one("bookstream_outbox_oldest_age_seconds", "60x60"),),
    ),
    Case(
        "EventsNearRetention",
        _one("bookstream_outbox_oldest_age_seconds", "302401x60"),
        1,
        "The oldest row of the outbox is 3d 12h 0m 1s old; commands are kept for 7 days, their ids for 14.",
        (_one("bookstream_outbox_oldest_age_seconds", "302400x60"),),
    ),
    Case(
        "RelayNoProgress",
        _outbox("1x60", "5x60"),
        5,
        "1 rows wait in the outbox, and none was published for 5 minutes.",
        (_outbox("1x60", "5+1x60"), _outbox("0x60", "5x60")),
    ),
    Case(
        "RelayNoProgress",
        _one("bookstream_outbox_rows", "1x60"),
        5,
        "1 rows wait in the outbox, and none was published for 5 minutes.",
        (),
    ),
    Case(
        "RelayHeld",
        _one("bookstream_relay_held_partitions", "1x60"),
        5,
        "1 partitions take no events.",
        (_one("bookstream_relay_held_partitions", "0x60"),),
    ),
    Case(
        "NoRelayOwner",
        _owners("bookstream_relay_owner", "0x60", "0x60"),
        1,
        "0 relays are active; it must be one.",
        (_owners("bookstream_relay_owner", "0x60", "1x60"),),
    ),
    Case("NoRelayOwner", _UP, 1, "0 relays are active; it must be one.", ()),
    Case(
        "TwoRelayOwners",
        _owners("bookstream_relay_owner", "1x60", "1x60"),
        2,
        "2 relays are active; it must be one.",
        (_owners("bookstream_relay_owner", "1x60", "0x60"), _owners("bookstream_relay_owner", "1x1 0x60", "1x60")),
    ),
    Case(
        "NoClockOwner",
        _owners("bookstream_clock_owner", "0x60", "0x60"),
        2,
        "0 clocks are active; it must be one.",
        (_owners("bookstream_clock_owner", "0x60", "1x60"),),
    ),
    Case("NoClockOwner", _UP, 2, "0 clocks are active; it must be one.", ()),
    Case(
        "TimersLate",
        _one("bookstream_timers_late_seconds", "61x60"),
        2,
        "The oldest timer that is not decided was due 1m 1s ago.",
        (_one("bookstream_timers_late_seconds", "60x60"),),
    ),
    Case(
        "ForgettingBehind",
        _one("bookstream_inbox_oldest_age_seconds", "1296001x90"),
        60,
        "The oldest command that is remembered was decided 15d 0h 0m 1s ago.",
        (_one("bookstream_inbox_oldest_age_seconds", "1296000x90"),),
    ),
    Case(
        "DependencyDown",
        {**_UP, **_one("bookstream_dependency_up", "0x60", 'dependency="kafka"')},
        2,
        "kafka does not answer at least one pod (up is 0).",
        ({**_UP, **_one("bookstream_dependency_up", "1x60", 'dependency="kafka"')},),
        {"dependency": "kafka"},
    ),
    Case(
        "LoopStuck",
        _one("bookstream_loop_age_seconds", "61x60", 'loop="relay"'),
        1,
        "The loop relay of a has not gone round for 1m 1s.",
        (_one("bookstream_loop_age_seconds", "60x60", 'loop="relay"'),),
        {"pod": "a", "loop": "relay"},
    ),
    Case("NotScraped", {}, 5, "No pod of bookstream is scraped: its metrics are absent (1).", (_UP,)),
)
