"""A record that is no command, on its way to the dead letters: key, headers and bytes untouched, and why."""

from schemas import headers as names
from service.outbox.row import Row, encode_raw_headers
from service.received import DeadLetter

MAX_DETAIL = 500
NEVER_KEPT = frozenset({"authorization"})


def dead_letter_row(letter: DeadLetter, failed_at: str) -> Row:
    """Makes the row of a dead letter; credentials that came in a header are left out."""
    record = letter.record
    kept = [pair for pair in record.headers if pair[0].lower() not in NEVER_KEPT]
    added = (
        (names.DLQ_REASON, letter.reason),
        (names.DLQ_DETAIL, letter.detail[:MAX_DETAIL]),
        (names.DLQ_TOPIC, record.topic),
        (names.DLQ_PARTITION, str(record.partition)),
        (names.DLQ_OFFSET, str(record.offset)),
        (names.DLQ_FAILED_AT, failed_at),
        (names.DLQ_ATTEMPTS, "1"),
    )
    headers = [*kept, *((name, value.encode("utf-8", "backslashreplace")) for name, value in added)]
    return Row(names.COMMANDS_DLQ, record.key, encode_raw_headers(headers), record.value)
