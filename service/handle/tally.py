"""What one batch did, told to the meters when it is committed: a few additions for a whole batch."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, get_args

from schemas.commands import COMMANDS as COMMAND_TYPES
from service.domain.model import Reason
from service.handle.decided import Decided
from service.outbox.event import TYPES as EVENT_TYPES
from service.outbox.problem import PROBLEMS
from service.received import DeadLetter, Undecodable
from service.telemetry import names
from service.telemetry.meters import Meters
from service.telemetry.pulse import Pulse
from service.telemetry.traces import Lap

BROKEN: Final = "internal_error"


class Tally:
    """Counts one attempt at a batch, and times its steps; each step is a sign of life.

    `nearly_done` is to be called when only writing is left.
    """

    def __init__(self, pulse: Pulse, nearly_done: Callable[[], None] = lambda: None) -> None:
        self.nearly_done = nearly_done
        self.steps = dict.fromkeys(names.STEPS, 0.0)
        self.laps: list[Lap] = []
        self.conflicts = 0
        self.redecided = 0
        self._pulse = pulse
        self._last = time.monotonic()

    def lap(self, step: str) -> None:
        """Notes that the step has ended that began when the one before did."""
        now = self._pulse.last = time.monotonic()
        self.steps[step] += now - self._last
        self.laps.append((step, self._last, now))
        self._last = now


def expect(meters: Meters) -> None:
    """Shows what a worker counts from its start."""
    meters.expect(names.COMMANDS, ((kind, outcome) for kind in COMMAND_TYPES for outcome in names.OUTCOMES))
    meters.expect(names.REFUSALS, ((PROBLEMS[reason].error, reason.value) for reason in Reason))
    meters.expect(names.EVENTS, ((kind,) for kind in EVENT_TYPES.values()))
    meters.expect(names.DEAD_LETTERS, ((reason,) for reason in get_args(Undecodable)))
    meters.expect(names.BATCH_DURATION, ((step,) for step in names.STEPS))
    meters.expect(names.BATCH_RETRIES, ((cause,) for cause in names.RETRIES))
    for metric in (
        names.UNANSWERED,
        names.INBOX_DUPLICATES,
        names.BATCH_SIZE,
        names.VERSION_CONFLICTS,
        names.REDECIDED,
        names.COMMAND_LATENCY,
    ):
        meters.expect(metric)


def tell(
    meters: Meters, tally: Tally, decided: Sequence[Decided], letters: Sequence[DeadLetter], committed_at: float
) -> None:
    """Adds a committed batch to the meters; `committed_at` is in seconds since 1970."""
    meters.observe(names.BATCH_SIZE, (len(decided) + len(letters),))
    for step, seconds in tally.steps.items():
        meters.observe(names.BATCH_DURATION, (seconds,), step)
    _tell_commands(meters, decided, committed_at)
    for reason, count in Counter(letter.reason for letter in letters).items():
        meters.add(names.DEAD_LETTERS, count, reason)
    if tally.redecided:
        meters.add(names.VERSION_CONFLICTS, tally.conflicts)
        meters.add(names.REDECIDED, tally.redecided)


def _tell_commands(meters: Meters, decided: Sequence[Decided], committed_at: float) -> None:
    """One pass over the commands, then a few additions; clocks that disagree don't make a latency negative."""
    outcomes: dict[tuple[str, str], int] = {}
    events = {"booking": 0, "visit": 0, "location": 0}
    refused: Counter[Reason] = Counter()
    # Those of a batch as Kafka has it share one append time.
    appended: dict[int, int] = {}
    for one in decided:
        received = one.received
        key = (received.envelope.type, one.outcome)
        outcomes[key] = outcomes.get(key, 0) + 1
        if received.record.replay is None:
            timestamp = received.record.timestamp
            appended[timestamp] = appended.get(timestamp, 0) + 1
        for change in one.changes:
            events[change.after.kind] += 1
        if one.refusal is not None:
            refused[one.refusal] += 1
    for (kind, outcome), count in outcomes.items():
        meters.add(names.COMMANDS, count, kind, outcome)
    for aggregate, event in EVENT_TYPES.items():
        meters.add(names.EVENTS, events[aggregate], event)
    for reason, count in refused.items():
        meters.add(names.REFUSALS, count, PROBLEMS[reason].error, reason.value)
    # A command that broke a rule of ours is refused, and kept as a dead letter.
    meters.add(names.DEAD_LETTERS, refused[Reason.INTERNAL_ERROR], BROKEN)
    repeated = sum(count for (_, outcome), count in outcomes.items() if outcome == names.REPEATED)
    meters.add(names.INBOX_DUPLICATES, repeated + refused[Reason.COMMAND_ID_REUSE])
    latencies = [(max(0.0, committed_at - timestamp / 1000), count) for timestamp, count in appended.items()]
    meters.observe_counted(names.COMMAND_LATENCY, latencies)
