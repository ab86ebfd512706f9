"""What became of one command: its changes, the rows that tell of it, and what is remembered."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.model import Changed, Reason
from service.handle.loaded import GroupKey, TimerKey
from service.handle.memory import Memory
from service.outbox.row import Row
from service.received import Received
from service.telemetry.names import OBSOLETE


@dataclass(slots=True)
class Decided:
    """The outcome of one command, not yet saved.

    `states` are the snapshots of `changes` as JSON, `bumped` the groups whose version an action moves on, `spent` the
    timer that the command came from, `touched` all that the decision looked at. `outcome` is one of
    `telemetry.names.OUTCOMES`; of a refusal, `refusal` is the reason.
    """

    received: Received
    changes: tuple[Changed, ...] = ()
    states: tuple[bytes, ...] = ()
    rows: tuple[Row, ...] = ()
    memory: Memory | None = None
    bumped: tuple[GroupKey, ...] = ()
    spent: TimerKey | None = None
    touched: Sequence[tuple[str, str, str]] = ()
    outcome: str = OBSOLETE
    refusal: Reason | None = None
