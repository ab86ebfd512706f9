"""A record that is no command, on its way to the dead letters: key, headers and bytes untouched, and why."""

from schemas import headers as names
from service.outbox.row import Row, encode_raw_headers
from service.received import DeadLetter

MAX_DETAIL = 500
# What the topic of dead letters takes in one record (8 MiB), less its headers. Only a record that was compressed can
# hold more; its bytes stay where they came from, for as long as that topic keeps them.
MAX_VALUE = 7 * 1024 * 1024
NEVER_KEPT = frozenset({"authorization"})


def dead_letter_row(letter: DeadLetter, failed_at: str) -> Row:
    """Makes the row of a dead letter; credentials that came in a header are left out."""
    record = letter.record
    kept = [pair for pair in record.headers if pair[0].lower() not in NEVER_KEPT]
    too_large = record.value is not None and len(record.value) > MAX_VALUE
    added = (
        (names.DLQ_REASON, letter.reason),
        (names.DLQ_DETAIL, ("its value is left out here; " if too_large else "") + letter.detail[:MAX_DETAIL]),
        (names.DLQ_TOPIC, record.topic),
        (names.DLQ_PARTITION, str(record.partition)),
        (names.DLQ_OFFSET, str(record.offset)),
        (names.DLQ_FAILED_AT, failed_at),
        (names.DLQ_ATTEMPTS, "1"),
    )
    headers = [*kept, *((name, value.encode("utf-8", "backslashreplace")) for name, value in added)]
    return Row(names.COMMANDS_DLQ, record.key, encode_raw_headers(headers), None if too_large else record.value)
