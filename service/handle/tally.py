"""What one batch did, told to the meters when it is committed: a few additions for a whole batch."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, get_args

from schemas.commands import COMMANDS as COMMAND_TYPES
from service.domain.model import Reason
from service.handle.decided import Decided
from service.outbox.event import TYPES as EVENT_TYPES
from service.outbox.problem import PROBLEMS
from service.received import DeadLetter, Received, Undecodable
from service.telemetry import names
from service.telemetry.meters import Meters
from service.telemetry.pulse import Pulse

BROKEN: Final = "internal_error"


class Tally:
    """Counts one attempt at a batch, and times its steps; each step is a sign of life."""

    def __init__(self, pulse: Pulse) -> None:
        self.steps = dict.fromkeys(names.STEPS, 0.0)
        self.conflicts = 0
        self.redecided = 0
        self._pulse = pulse
        self._last = time.monotonic()

    def lap(self, step: str) -> None:
        """Notes that the step has ended that began when the one before did."""
        now = self._pulse.last = time.monotonic()
        self.steps[step] += now - self._last
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
    for (kind, outcome), count in Counter([(one.received.envelope.type, one.outcome) for one in decided]).items():
        meters.add(names.COMMANDS, count, kind, outcome)
    _tell_refusals(meters, decided)
    changed: Counter[str] = Counter([change.after.kind for one in decided for change in one.changes])
    for kind, event in EVENT_TYPES.items():
        meters.add(names.EVENTS, changed[kind], event)
    for reason, count in Counter(letter.reason for letter in letters).items():
        meters.add(names.DEAD_LETTERS, count, reason)
    if tally.redecided:
        meters.add(names.VERSION_CONFLICTS, tally.conflicts)
        meters.add(names.REDECIDED, tally.redecided)
    meters.observe(names.COMMAND_LATENCY, latencies((one.received for one in decided), committed_at))


def _tell_refusals(meters: Meters, decided: Sequence[Decided]) -> None:
    """A command that broke a rule of ours is refused and kept as a dead letter."""
    refused = Counter([one.refusal for one in decided if one.refusal is not None])
    for reason, count in refused.items():
        meters.add(names.REFUSALS, count, PROBLEMS[reason].error, reason.value)
    meters.add(names.DEAD_LETTERS, refused[Reason.INTERNAL_ERROR], BROKEN)
    known = sum(1 for one in decided if one.outcome == names.REPEATED) + refused[Reason.COMMAND_ID_REUSE]
    meters.add(names.INBOX_DUPLICATES, known)


def latencies(commands: Iterable[Received], now: float) -> list[float]:
    """Gives the seconds since each command was appended; clocks that disagree don't make it negative."""
    return [max(0.0, now - received.record.timestamp / 1000) for received in commands]
