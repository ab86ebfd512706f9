"""The judge of runs with faults notices every broken promise, and nothing where all holds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.evidence import Asked, Event, Evidence, Letter, Result, Said, Stray
from tests.faults.made_up import COMMANDS, OTHERS, SOUTH, TIMERS, Records, asked, create, event, judged, result

STRAY = Stray(COMMANDS, 4, b"as sent")
LETTER = Letter("invalid_json", COMMANDS, 4, b"as published", b"as sent")


def _sound() -> Records:
    """A creation, a change that is sent again, a refusal, and a record that is no command."""
    change = asked(1, "c-2", "update-booking", patch={"guest_count": 3})
    accepted = result("c-2", outcome="applied", version=2)
    return [
        create(0, "c-1"),
        change,
        replace(change, offset=2),
        asked(3, "c-3", "state-action", action="fly_away"),
        STRAY,
        event(0, "c-1", 1),
        event(1, "c-2", 2, guest_count=3),
        result("c-1", outcome="applied", version=1),
        accepted,
        replace(accepted),
        result("c-3", refused="unknown_action"),
        LETTER,
    ]


def test_a_sound_run_passes() -> None:
    """Nothing is reported, a repeat of an event included."""
    assert judged(_sound(), most_repeated=0) == []
    assert judged([*_sound(), replace(event(1, "c-2", 2, guest_count=3), offset=2)]) == []


def _without(kind: type, number: int) -> Callable[[Records], Records]:
    def leave_out(records: Records) -> Records:
        found = [record for record in records if isinstance(record, kind)]
        return [record for record in records if record is not found[number]]

    return leave_out


def _with(*more: Evidence) -> Callable[[Records], Records]:
    return lambda records: [*records, *more]


def _other(kind: type, number: int, **changes: Any) -> Callable[[Records], Records]:
    def change(records: Records) -> Records:
        found = [record for record in records if isinstance(record, kind)][number]
        return [replace(record, **changes) if record is found else record for record in records]

    return change


def _swapped(records: Records) -> Records:
    return [*records[:5], records[6], records[5], *records[7:]]


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (_without(Event, 1), "lost: no event of a command"),
        (_without(Event, 0), "gap: acc-north b-1 version 2 follows 0"),
        (_without(Result, 3), "wrong or missing result"),
        (_without(Result, 1), "lost: 1 results"),
        (_without(Letter, 0), "lost: no dead letter of the stray record"),
        (_without(Asked, 3), "an answer that nobody caused"),
        (_swapped, "out of order: acc-north b-1 version 1"),
        (_with(event(2, "c-2", 3, guest_count=4)), "two effects: ('acc-north', 'c-2')"),
        (_with(replace(event(1, "c-2", 2), offset=2, digest=b"other")), "different bytes for one ce_id"),
        (_with(replace(LETTER, digest=b"published later")), "handled twice"),
        (_with(replace(LETTER, offset=1)), "a dead letter that should not be"),
        (_with(replace(LETTER, offset=1, reason="internal_error")), "a defect"),
        (_with(replace(event(2, "c-3", 3), account=SOUTH, command=(SOUTH, "c-3"))), "an answer that nobody caused"),
        (_other(Letter, 0, original=b"mended"), "altered"),
        (_other(Event, 1, snapshot={"notes": "y"}), "wrong state"),
        (_other(Event, 1, keyed=False), "wrong headers"),
        (_other(Event, 1, lane=("booking-events", 1)), "wrong partition"),
        (_other(Asked, 3, offset=9), "the log itself"),
        (_other(Result, 3, said=Said(refused="read_only")), "wrong or missing result"),
        (_other(Asked, 2, lane=OTHERS, offset=0), "the senders"),
    ],
)
def test_a_broken_promise_is_told(break_it: Callable[[Records], Records], told: str) -> None:
    """Each kind of fault is found and named."""
    wrong = judged(break_it(_sound()))
    assert any(text.startswith(told) for text in wrong), wrong


def test_more_repeats_than_can_be_explained_are_told() -> None:
    """One is not too many where one is allowed, and is where none is."""
    records = [*_sound(), replace(event(1, "c-2", 2, guest_count=3), offset=2)]
    assert judged(records, most_repeated=1) == []
    assert any(text.startswith("published again") for text in judged(records, most_repeated=0))


def _group() -> Records:
    """Two members on two partitions, and an action on both that came after both were made."""
    return [
        create(0, "c-1", "b-1", bulk_id="g"),
        replace(create(0, "c-2", "b-2", bulk_id="g"), lane=OTHERS),
        asked(1, "c-3", "state-action", action="confirm"),
        event(0, "c-1", 1),
        event(1, "c-2", 1, "b-2"),
        event(2, "c-3", 2, state="confirmed"),
        replace(event(3, "c-3", 2, "b-2", state="confirmed"), replicated_from="b-1"),
        result("c-1", outcome="applied", version=1),
        result("c-2", outcome="applied", version=1),
        result("c-3", outcome="applied", version=2, siblings=frozenset({("b-2", "applied", 2)})),
    ]


def test_an_action_on_a_group_is_whole() -> None:
    """It reaches every member that is there, in whatever order the partitions were read, and says so."""
    assert judged(_group()) == []
    early = [*_group()[:6], *_group()[7:9], result("c-3", outcome="applied", version=2)]
    assert judged(early) == []
    lame = [*_group()[:6], *_group()[7:]]
    assert any(text.startswith("wrong state") for text in judged(lame))
    half = [*_group()[:9], result("c-3", outcome="applied", version=2)]
    assert any("c-3" in text for text in judged(half))


def test_a_timer_and_a_command_may_come_in_either_order() -> None:
    """What is seen decides; both at once is impossible."""
    begin: Records = [
        create(0, "c-1", graph="instant"),
        asked(1, "c-2", "state-action", action="cancel"),
        asked(0, "t-1", "state-action", TIMERS, action="complete"),
        event(0, "c-1", 1, state="confirmed"),
        result("c-1", outcome="applied", version=1),
    ]
    cancelled = event(1, "c-2", 2, state="cancelled"), result("c-2", outcome="applied", version=2)
    completed = event(1, "t-1", 2, state="completed"), result("c-2", refused="action_not_available")
    assert judged([*begin, *cancelled]) == []
    assert judged([*begin, *completed]) == []
    assert judged([*begin, *cancelled, event(2, "t-1", 3, state="completed")]) != []
