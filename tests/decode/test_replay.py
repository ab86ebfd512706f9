"""Dead letters that come again."""

import pytest

from service.decode.record import decode
from service.decode.replay import as_at_first
from service.outbox.dead_letter import dead_letter_row
from service.received import DeadLetter, Question, Received
from service.record import Record, append_time
from tests.support.records import APPENDED_MS, REPLY_TOPICS, act, record, update
from tests.support.rows import Sent, sent

LATER_MS = APPENDED_MS + 86_400_000
PLACE = {"dlq_topic": b"booking-commands", "dlq_partition": b"3", "dlq_offset": b"17"}
HEADERS = {**PLACE, "dlq_attempts": b"1", "dlq_appended_at": b"2026-12-01T09:00:00Z"}


def again(first: Record, reason: str = "internal_error", client: str | None = None) -> Record:
    """A record that became a dead letter, as it is sent again."""
    letter = dead_letter_row(DeadLetter(first, reason, "x", client), "2026-12-01T09:00:01Z")  # type: ignore[arg-type]
    return resent(sent(letter))


def resent(letter: Sent) -> Record:
    """A dead letter as it is sent again."""
    return Record("commands-replay", 9, 99, letter.key, letter.bytes, letter.raw, LATER_MS)


def odd(headers: dict[str, bytes]) -> DeadLetter:
    """What a record with such headers becomes on the topic of replays."""
    found = as_at_first(Record("commands-replay", 9, 99, b"k", b"v", tuple(headers.items()), LATER_MS))
    assert isinstance(found, DeadLetter)
    return found


@pytest.mark.parametrize("topic", ["booking-commands", "internal-commands"])
def test_it_is_decoded_as_it_was_at_first(topic: str) -> None:
    """Topic, place, headers and append time of the first time: so are the actor, the memory and the rules."""
    first = record("update-booking", update(patch={"notes": "x"}), "c-1", topic=topic)._replace(partition=3, offset=17)
    replayed = as_at_first(again(first))
    assert isinstance(replayed, Record)
    assert replayed._replace(replay=None) == first
    then, now = decode(first, REPLY_TOPICS), decode(replayed, REPLY_TOPICS)
    assert isinstance(then, Received)
    assert isinstance(now, Received)
    assert now._replace(record=first) == then
    assert isinstance(now.body, Question)
    assert now.body.context.now == append_time(APPENDED_MS)


def test_replay_raises_nobody() -> None:
    """What is refused on its own topic is refused when it comes again."""
    first = record("state-action", act("b-1", "cancel"), ce_source="/bookstream", topic="booking-commands")
    replayed = as_at_first(again(first))
    assert isinstance(replayed, Record)
    assert decode(replayed, REPLY_TOPICS) == decode(first, REPLY_TOPICS)._replace(record=replayed)  # type: ignore[union-attr]


def test_any_other_record_is_as_it_is() -> None:
    """Headers of such names say nothing on the topics of commands."""
    first = record("update-booking", update(), headers=[*HEADERS.items(), ("dlq_client", b"forged")])
    assert as_at_first(first) is first


def test_a_sender_cannot_forge_what_was_verified() -> None:
    """Of each header the last is ours, and a client's that nobody verified has an empty one after it."""
    forged = (("dlq_client", b"c-1"), ("dlq_topic", b"internal-commands"), ("dlq_attempts", b"7"))
    first = record("update-booking", update(), headers=forged)
    replayed = as_at_first(again(first))
    assert isinstance(replayed, Record)
    assert (replayed.topic, replayed.headers) == ("booking-commands", first.headers)
    assert replayed.replay == (1, None)
    verified = as_at_first(again(first, client="c-2"))
    assert isinstance(verified, Record)
    assert verified.replay == (1, "c-2")


def test_a_dead_letter_of_a_replay_keeps_its_origin_and_counts() -> None:
    """However often it comes: the first place and time, the verified client, the sender's headers, one attempt more."""
    first = record("update-booking", b"no json", headers=[("x", b"\xff"), ("twice", b"1"), ("twice", b"2")])
    first = first._replace(partition=3, offset=17)
    came = again(first, "header_not_utf8", client="c-1")
    for attempts in range(2, 5):
        replayed = as_at_first(came)
        assert isinstance(replayed, Record)
        found = decode(replayed, REPLY_TOPICS)
        assert isinstance(found, DeadLetter)
        letter = sent(dead_letter_row(found, "2026-12-02T09:00:00Z"))
        assert letter.raw[: len(first.headers)] == first.headers
        assert dict(letter.raw[len(first.headers) :]) == {
            **PLACE,
            "dlq_reason": b"header_not_utf8",
            "dlq_detail": b"header 'x' is not UTF-8",
            "dlq_failed_at": b"2026-12-02T09:00:00Z",
            "dlq_attempts": str(attempts).encode(),
            "dlq_appended_at": b"2026-12-01T09:00:00Z",
            "dlq_client": b"c-1",
        }
        came = resent(letter)


@pytest.mark.parametrize("name", sorted(HEADERS))
@pytest.mark.parametrize("value", [None, b"", b"\xff", b"-1", b"1.5", b"booking-events", b"9" * 19])
def test_odd_headers(name: str, value: bytes | None) -> None:
    """A record that does not say where and when it first came is a dead letter again, with one attempt more."""
    headers = {other: text for other, text in HEADERS.items() if other != name or value is not None}
    found = odd(headers if value is None else {**headers, name: value})
    assert found.reason == "not_replayable"
    letter = sent(dead_letter_row(found, "now"))
    broken = name in PLACE
    assert letter.headers["dlq_topic"] == ("commands-replay" if broken else "booking-commands")
    assert letter.headers["dlq_offset"] == ("99" if broken else "17")
    assert letter.headers["dlq_attempts"] == ("1" if name == "dlq_attempts" else "2")
    assert (letter.key, letter.bytes) == (b"k", b"v")


def test_sound_headers() -> None:
    """The same headers with nothing wrong are those of a replay."""
    found = as_at_first(Record("commands-replay", 9, 99, b"k", b"v", tuple(HEADERS.items()), LATER_MS))
    assert isinstance(found, Record)
    assert found == Record("booking-commands", 3, 17, b"k", b"v", (), APPENDED_MS, (1, None))  # type: ignore[arg-type]


def test_a_dead_letter_of_the_topic_of_replays_itself() -> None:
    """What was sent there by hand is no command however often it is sent again."""
    first = odd({})
    second = as_at_first(resent(sent(dead_letter_row(first, "now"))))
    assert isinstance(second, DeadLetter)
    assert dict(sent(dead_letter_row(second, "now")).raw)["dlq_attempts"] == b"2"
