"""A record that is no command, on its way to the dead letters: key, headers and bytes untouched, and why."""

from schemas import headers as names
from service.domain.instants import instant_text
from service.outbox.row import Row, encode_raw_headers
from service.received import DeadLetter
from service.record import append_time

MAX_DETAIL = 500
# What the topic of dead letters takes in one record (8 MiB), less its headers. Only a record that was compressed can
# hold more; its bytes stay where they came from, for as long as that topic keeps them.
MAX_VALUE = 7 * 1024 * 1024
NEVER_KEPT = frozenset({"authorization"})


def dead_letter_row(letter: DeadLetter, failed_at: str) -> Row:
    """Makes the row of a dead letter; credentials that came in a header are left out.

    One that was sent again keeps the place, time and verified client of its first coming, and counts on. A reader takes
    the last header of each name, so where no client was verified and the sender wrote such a header, an empty one
    stands after it.
    """
    record, replay = letter.record, letter.record.replay
    kept = [pair for pair in record.headers if pair[0].lower() not in NEVER_KEPT]
    too_large = record.value is not None and len(record.value) > MAX_VALUE
    client = letter.client if replay is None else replay.client
    added = [
        (names.DLQ_REASON, letter.reason),
        (names.DLQ_DETAIL, ("its value is left out here; " if too_large else "") + letter.detail[:MAX_DETAIL]),
        (names.DLQ_TOPIC, record.topic),
        (names.DLQ_PARTITION, str(record.partition)),
        (names.DLQ_OFFSET, str(record.offset)),
        (names.DLQ_FAILED_AT, failed_at),
        (names.DLQ_ATTEMPTS, str(1 if replay is None else replay.attempts + 1)),
        (names.DLQ_APPENDED_AT, instant_text(append_time(record.timestamp))),
    ]
    if client is not None or any(name == names.DLQ_CLIENT for name, _ in kept):
        added.append((names.DLQ_CLIENT, client or ""))
    headers = [*kept, *((name, value.encode("utf-8", "backslashreplace")) for name, value in added)]
    return Row(names.COMMANDS_DLQ, record.key, encode_raw_headers(headers), None if too_large else record.value)
