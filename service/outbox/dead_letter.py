"""A record that is no command, on its way to the dead letters: key, headers and bytes untouched, and why."""

from schemas import headers as names
from service.domain.instants import instant_text
from service.outbox.row import Row, encode_raw_headers
from service.received import DeadLetter
from service.record import Record, append_time

MAX_DETAIL = 500
# What the topic of dead letters takes in one record (8 MiB), less what is added. Only a record that was compressed can
# hold more; its bytes stay where they came from, for as long as that topic keeps them.
MAX_BYTES = 7 * 1024 * 1024
# What a key can be without compression; a longer one would cost the relay seconds to hash.
MAX_KEY = 1024 * 1024 + 64 * 1024
# What a header takes beside its bytes: two lengths.
_PER_HEADER = 8
NEVER_KEPT = frozenset({"authorization"})

Header = tuple[str, bytes | None]


def dead_letter_row(letter: DeadLetter, failed_at: str) -> Row:
    """Makes the row of a dead letter; credentials that came in a header are left out, and so is what is too large.

    One that was sent again keeps the place, time and verified client of its first coming, and counts on. A reader takes
    the last header of each name, so where no client was verified and the sender wrote such a header, an empty one
    stands after it.
    """
    record, replay = letter.record, letter.record.replay
    key, kept, value, left_out = _what_fits(record)
    client = letter.client if replay is None else replay.client
    added = [
        (names.DLQ_REASON, letter.reason),
        (names.DLQ_DETAIL, left_out + letter.detail[:MAX_DETAIL]),
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
    return Row(names.COMMANDS_DLQ, key, encode_raw_headers(headers), value)


def _what_fits(record: Record) -> tuple[bytes | None, list[Header], bytes | None, str]:
    """Gives key, headers and value, and what to say of those that are left out: first the value, last the key."""
    key, value = record.key, record.value
    kept = [pair for pair in record.headers if pair[0].lower() not in NEVER_KEPT]
    if len(key or b"") > MAX_KEY:
        return None, [], None, "its key, headers and value are left out here; "
    left = MAX_BYTES - len(key or b"") - sum(_PER_HEADER + len(name) + len(text or b"") for name, text in kept)
    if left < 0:
        return key, [], None, "its headers and value are left out here; "
    if left < len(value or b""):
        return key, kept, None, "its value is left out here; "
    return key, kept, value, ""
