import pytest

from service.outbox.dead_letter import _PER_HEADER, MAX_BYTES, MAX_KEY, dead_letter_row
from service.received import DeadLetter
from service.record import Record
from tests.support.records import APPENDED_MS
from tests.support.rows import sent

HEADERS = (("ce_id", b"\xff"), ("n\udcff", b"1"), ("null", None), ("twice", b"1"), ("twice", b"2"))

OVERHEAD = _PER_HEADER + len("x")


def letter(key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]) -> DeadLetter:
    """A dead letter from the seventh partition."""
    return DeadLetter(
        Record("visit-commands", 7, 42, key, value, headers, APPENDED_MS), "header_not_utf8", "détail" * 200
    )


def test_everything_is_kept() -> None:
    """Key, headers and bytes stay untouched, and the reason and the place follow."""
    found = sent(dead_letter_row(letter(b"\x00\xff", b"\x80raw", HEADERS), "2026-12-01T09:00:00Z"))
    assert (found.topic, found.key, found.bytes) == ("commands-dlq", b"\x00\xff", b"\x80raw")
    assert found.raw[: len(HEADERS)] == HEADERS
    assert dict(found.raw[len(HEADERS) :]) == {
        "dlq_reason": b"header_not_utf8",
        "dlq_detail": ("détail" * 200)[:500].encode(),
        "dlq_topic": b"visit-commands",
        "dlq_partition": b"7",
        "dlq_offset": b"42",
        "dlq_failed_at": b"2026-12-01T09:00:00Z",
        "dlq_attempts": b"1",
        "dlq_appended_at": b"2026-12-01T09:00:00Z",
    }


def test_nothing_stays_nothing() -> None:
    """A record without key and value is a dead letter without key and value."""
    found = sent(dead_letter_row(letter(None, None, ()), ""))
    assert (found.key, found.bytes) == (None, None)


def test_credentials_are_left_out() -> None:
    """An authorization header never reaches the dead letters, in whatever case its name is."""
    headers = (("Authorization", b"Bearer x"), ("AUTHORIZATION", None), ("authorization-hint", b"y"))
    found = sent(dead_letter_row(letter(b"k", b"v", headers), ""))
    assert [name for name, _ in found.raw if "auth" in name.lower()] == ["authorization-hint"]


def test_a_detail_that_is_no_unicode() -> None:
    """A detail with lone surrogates is written out."""
    broken = DeadLetter(Record("t", 0, 0, None, None, (), 0), "unknown_type", "\ud800")
    assert dict(sent(dead_letter_row(broken, "")).raw)["dlq_detail"] == b"\\ud800"


@pytest.mark.parametrize(
    ("key", "header", "value", "kept", "told"),
    [
        (0, 0, MAX_BYTES - OVERHEAD, "khv", ""),
        (0, 0, MAX_BYTES - OVERHEAD + 1, "kh", "its value is left out here; "),
        (0, MAX_BYTES - OVERHEAD - 1, 1, "khv", ""),
        (0, MAX_BYTES - OVERHEAD, 1, "kh", "its value is left out here; "),
        (0, MAX_BYTES - OVERHEAD + 1, 0, "k", "its headers and value are left out here; "),
        (MAX_KEY, 1, 1, "khv", ""),
        (MAX_KEY + 1, 1, 1, "", "its key, headers and value are left out here; "),
    ],
)
def test_what_no_record_of_the_topic_could_hold(key: int, header: int, value: int, kept: str, told: str) -> None:
    """First the value is left out, then the headers, last the key; the reason says so."""
    found = sent(dead_letter_row(letter(bytes(key), bytes(value), (("x", bytes(header)),)), ""))
    assert (found.key is not None, found.raw[0][0] == "x", found.bytes is not None) == tuple(
        each in kept for each in "khv"
    )
    assert dict(found.raw)["dlq_detail"] == (told + ("détail" * 200)[:500]).encode()
