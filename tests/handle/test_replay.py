"""Dead letters that are sent again, through the transaction."""

import pytest

from service.handle import fold
from service.record import Record
from tests.handle.harness import Bench, summaries
from tests.support.records import APPENDED_MS, act, create, record, update
from tests.support.rows import Sent

DAY_MS = 86_400_000


def resent(letter: Sent) -> Record:
    """A dead letter as `bookstream dlq replay` sends it, a day later."""
    return Record("commands-replay", 0, 0, letter.key, letter.bytes, letter.raw, APPENDED_MS + DAY_MS)


async def broken(bench: Bench, monkeypatch: pytest.MonkeyPatch, *records: Record) -> list[Sent]:
    """The dead letters of commands that met a bug, which is mended afterwards."""
    with monkeypatch.context() as bug:
        bug.setattr(fold, "decide", lambda *_: 1 / 0)
        return [row for row in await bench.apply(*records) if row.type == "dead-letter"]


async def test_a_replayed_command_takes_effect_as_if_it_came_at_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event is that of the first time and topic; sent again it is only answered again."""
    (letter,) = await broken(bench, monkeypatch, record("create-booking", create(), "c-1", reply=True))
    event, accepted = await bench.apply(resent(letter))
    assert summaries([event, accepted]) == [("booking-changed", "b-1", 1), ("command-accepted", "b-1", "applied")]
    assert (event.value["actor"], event.headers["ce_time"]) == ("external", "2026-12-01T09:00:00Z")
    (again,) = await bench.apply(resent(letter))
    assert again == accepted
    assert await bench.count("aggregate", "kind = 'booking' AND version = 1") == 1


async def test_a_command_and_its_dead_letter_are_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes first is decided, the other is a repeat: sender and operator may both send it again."""
    first = record("create-booking", create(), "c-1")
    (letter,) = await broken(bench, monkeypatch, first)
    assert summaries(await bench.apply(first)) == [("booking-changed", "b-1", 1)]
    assert await bench.apply(resent(letter)) == []
    (letter,) = await broken(bench, monkeypatch, record("state-action", act("b-1", "cancel"), "c-2"))
    assert summaries(await bench.apply(resent(letter))) == [("booking-changed", "b-1", 2)]
    assert await bench.apply(record("state-action", act("b-1", "cancel"), "c-2")) == []


async def test_the_internal_channel_stays_the_internal_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The actor is that of the first topic."""
    await bench.apply(record("create-booking", create()))
    asked = record("update-booking", update(patch={"notes": "x"}), topic="internal-commands")
    (letter,) = await broken(bench, monkeypatch, asked)
    (event,) = await bench.apply(resent(letter))
    assert event.value["actor"] == "internal"


async def test_what_breaks_again_is_a_dead_letter_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the first place and one attempt more, each time."""
    (letter,) = await broken(bench, monkeypatch, record("create-booking", create(), "c-1"))
    place = {name: letter.headers[name] for name in ("dlq_topic", "dlq_partition", "dlq_offset", "dlq_appended_at")}
    for attempts in (2, 3):
        (letter,) = await broken(bench, monkeypatch, resent(letter))
        assert letter.headers["dlq_attempts"] == str(attempts)
        assert {name: letter.headers[name] for name in place} == place


async def test_bad_replays_harm_no_neighbour(bench: Bench) -> None:
    """A record without the headers of a dead letter, or with odd ones, is a dead letter; the rest is applied."""
    sound = record("create-booking", create("b-2"))
    bare = sound._replace(topic="commands-replay")
    odd = bare._replace(headers=(*bare.headers, ("dlq_topic", b"\xff"), ("dlq_attempts", b"x" * 5000)))
    found = await bench.apply(record("create-booking", create()), bare, odd, sound)
    assert [(row[0], row[2]) for row in summaries(found) if row[0] != "dead-letter"] == [("booking-changed", 1)] * 2
    letters = [row for row in found if row.type == "dead-letter"]
    assert [letter.headers["dlq_reason"] for letter in letters] == ["not_replayable"] * 2
    assert [letter.headers["dlq_topic"] for letter in letters] == ["commands-replay"] * 2
    assert letters[0].raw[: len(bare.headers)] == bare.headers
