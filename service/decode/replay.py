"""A dead letter that was sent again, as it was when it first came.

Of each `dlq_*` header the last one is ours: a sender may have written headers of such names too, which say no more than
any other of his. Ours are believed, since only an operator's command may write the topic.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from schemas import headers as names
from schemas.types import canonical_instant
from service.domain.instants import instant
from service.received import DeadLetter
from service.record import EPOCH, Record, Replay, UnreadableBatch

CHANNELS: Final = (names.BOOKING_COMMANDS, names.VISIT_COMMANDS, names.INTERNAL_COMMANDS)
LONGEST_NUMBER: Final = 18

Header = tuple[str, bytes | None]


def as_at_first(record: Record) -> Record | DeadLetter:
    """Gives back the record that became a dead letter, with its first topic, place, headers and append time.

    Any other record is given as it is. What does not say where and when it first came is a dead letter again.
    """
    if record.topic != names.COMMANDS_REPLAY or isinstance(record.value, UnreadableBatch):
        return record
    kept, ours = split_headers(record.headers)
    attempts, client = _number(ours.get(names.DLQ_ATTEMPTS)), _text(ours.get(names.DLQ_CLIENT)) or None
    replayed = record._replace(headers=tuple(kept), replay=Replay(attempts or 0, client))
    topic = _text(ours.get(names.DLQ_TOPIC))
    partition, offset = _number(ours.get(names.DLQ_PARTITION)), _number(ours.get(names.DLQ_OFFSET))
    if topic not in CHANNELS or partition is None or offset is None:
        return _odd(replayed, "dlq_topic, dlq_partition and dlq_offset don't name a place of a command")
    replayed = replayed._replace(topic=topic, partition=partition, offset=offset)
    appended_at = _milliseconds(_text(ours.get(names.DLQ_APPENDED_AT)))
    if appended_at is None:
        return _odd(replayed, "dlq_appended_at is no RFC 3339 time with an offset")
    if not attempts:
        return _odd(replayed, "dlq_attempts is no number of attempts")
    return replayed._replace(timestamp=appended_at)


def split_headers(headers: Sequence[Header]) -> tuple[list[Header], dict[str, bytes | None]]:
    """Parts the headers that the sender wrote from those that a dead letter was given, by name."""
    last = {name: place for place, (name, _) in enumerate(headers) if name in names.DLQ_HEADERS}
    kept = [header for place, header in enumerate(headers) if last.get(header[0]) != place]
    return kept, {name: headers[place][1] for name, place in last.items()}


def _odd(record: Record, detail: str) -> DeadLetter:
    return DeadLetter(record, "not_replayable", detail)


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeError:
        return None


def _number(value: bytes | None) -> int | None:
    return int(value) if value is not None and value.isdigit() and len(value) <= LONGEST_NUMBER else None


def _milliseconds(text: str | None) -> int | None:
    try:
        return None if text is None else (instant(canonical_instant(text)) - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):
        return None
