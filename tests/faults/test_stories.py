"""The judge knows what becomes of aggregates that meet, and notices when it becomes of them otherwise."""

from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.model import Command
from tests.faults.evidence import STRANGER, Asked, Event, Evidence, Expiry, Result
from tests.faults.made_up import FAR, NORTH, OTHERS, TIMERS, Records, asked, create, event, judged, result
from tests.faults.model_state import STRICT

Case = tuple[Records, str | None]


def _as(one: Asked, **data: Any) -> Asked:
    """The same command with more to say."""
    return replace(one, command=replace(one.command, data={**one.command.data, **data}))


def _from_owner(one: Event) -> Event:
    return replace(one, replicated_from="b-1")


def _session(*answers: Evidence, seat: str = "group_customer") -> Records:
    """A session and a seat in it, on another partition; the session is cancelled."""
    return [
        create(0, "c-1", graph="group_owner"),
        replace(create(0, "c-2", "b-2", seat, owner_booking_id="b-1"), lane=OTHERS),
        asked(1, "c-3", "state-action", action="cancel"),
        *answers,
    ]


_OPENED = (event(0, "c-1", 1), result("c-1", outcome="applied", version=1))
_TAKEN = (event(1, "c-2", 1, "b-2", state="confirmed"), result("c-2", outcome="applied", version=1))
_CANCELLED = event(2, "c-3", 2, state="cancelled")
_CASCADED = _from_owner(event(3, "c-3", 2, "b-2", state="cancelled_by_owner"))
_BOTH = result("c-3", outcome="applied", version=2, siblings=frozenset({("b-2", "applied", 2)}))
_ALONE = result("c-3", outcome="applied", version=2)

OWNERS: dict[str, Case] = {
    "the seat goes with the session": (_session(*_OPENED, *_TAKEN, _CANCELLED, _CASCADED, _BOTH), None),
    "the seat came after that": (_session(*_OPENED, _CANCELLED, _ALONE, *_TAKEN), None),
    "the seat came before the session": (
        _session(*_OPENED, _CANCELLED, _ALONE, result("c-2", refused="booking")),
        None,
    ),
    "the seat is forgotten": (_session(*_OPENED, *_TAKEN, _CANCELLED, _BOTH), "wrong state"),
    "the seat is forgotten and not told of": (_session(*_TAKEN, *_OPENED, _CASCADED, _ALONE), "wrong state"),
    "a seat in no session": (_session(*_TAKEN)[1:2] + list(_TAKEN), "an effect that was not to be"),
    "nobody says who is owned": (
        _session(*_OPENED, *_TAKEN, _CANCELLED, replace(_CASCADED, replicated_from=None), _BOTH),
        "wrong state",
    ),
}


def _rivals(*answers: Evidence) -> Records:
    made = create(0, "c-1", graph="instant")
    first = asked(1, "c-2", "update-booking", patch={"notes": "first"}, expected_version=1)
    second = asked(0, "c-3", "update-booking", TIMERS, patch={"notes": "second"}, expected_version=1)
    second = replace(second, system=False, command=replace(second.command, reply=True))
    known = (event(0, "c-1", 1, state="confirmed"), result("c-1", outcome="applied", version=1))
    return [made, first, second, *known, *answers]


_FIRST = (event(1, "c-2", 2, state="confirmed", notes="first"), result("c-2", outcome="applied", version=2))
_SECOND = (event(1, "c-3", 2, state="confirmed", notes="second"), result("c-3", outcome="applied", version=2))
_THIRD = (event(2, "c-3", 3, state="confirmed", notes="second"), result("c-3", outcome="applied", version=3))

RIVALS: dict[str, Case] = {
    "the first wins": (_rivals(*_FIRST, result("c-3", refused="version_conflict")), None),
    "the second wins": (_rivals(*_SECOND, result("c-2", refused="version_conflict")), None),
    "both win": (_rivals(*_FIRST, *_THIRD), "an effect that was not to be"),
    "none wins": (
        _rivals(result("c-2", refused="version_conflict"), result("c-3", refused="version_conflict")),
        "lost: no event",
    ),
}


def _deadline(expiry: Expiry, *answers: Evidence, **data: Any) -> Records:
    made = create(0, "c-1", graph="instant")
    late = replace(asked(1, "c-2", "update-booking", patch={"notes": "first"}, **data), expiry=expiry)
    known = (event(0, "c-1", 1, state="confirmed"), result("c-1", outcome="applied", version=1))
    return [made, late, *known, *answers]


_EXPIRED = result("c-2", refused="expired")
_TRIED = result("c-2", outcome="validated", version=2)

DEADLINES: dict[str, Case] = {
    "long ago": (_deadline("past", _EXPIRED), None),
    "about now, too late": (_deadline("near", _EXPIRED), None),
    "about now, in time": (_deadline("near", *_FIRST), None),
    "in an age": (_deadline("never", *_FIRST), None),
    "long ago, and done": (_deadline("past", *_FIRST), "an effect that was not to be"),
    "in an age, and refused": (_deadline("never", _EXPIRED), "lost: no event"),
    "about now, refused and done": (_deadline("near", _EXPIRED, *_FIRST), "an effect that was not to be"),
    "a dry run": (_deadline("never", _TRIED, validate_only=True), None),
    "a dry run too late": (_deadline("past", _EXPIRED, validate_only=True), None),
    "a dry run that is done": (_deadline("never", *_FIRST, validate_only=True), "an effect that was not to be"),
    "a dry run that errs": (
        _deadline("never", replace(_TRIED, said=replace(_TRIED.said, version=1)), validate_only=True),
        "wrong or missing result",
    ),
}


def _linked(*answers: Evidence, action: str = "cancel", token: str = "token") -> Records:  # noqa: S107
    made = create(0, "c-1", graph="instant")
    guests = [asked(1 + number, f"c-{2 + number}", "state-action", action=action, link=token) for number in (0, 1)]
    offer = replace(event(0, "c-1", 1, state="confirmed"), links={"cancel": "token"})
    return [made, *guests, offer, result("c-1", outcome="applied", version=1), *answers]


_TAKEN_UP = (event(1, "c-2", 2, state="cancelled"), result("c-2", outcome="applied", version=2))
_TURNED_AWAY = [replace(result(name, refused="invalid_signature"), command=(STRANGER, name)) for name in ("c-2", "c-3")]

LINKS: dict[str, Case] = {
    "once": (_linked(*_TAKEN_UP, result("c-3", refused="link_used")), None),
    "refused for another reason": (_linked(*_TAKEN_UP, result("c-3", refused="action_not_available")), "wrong or"),
    "twice": (
        _linked(*_TAKEN_UP, event(2, "c-3", 3, state="cancelled"), result("c-3", outcome="applied", version=3)),
        "an effect that was not to be",
    ),
    "for another action": (_linked(*_TURNED_AWAY, action="complete"), None),
    "made up": (_linked(*_TURNED_AWAY, token="another"), None),
    "made up, and let in": (_linked(*_TAKEN_UP, _TURNED_AWAY[1], token="another"), "let in"),
    "made up, without an answer": (_linked(_TURNED_AWAY[0], token="another"), "wrong or missing"),
    "made up, and told of the account": (
        _linked(_TURNED_AWAY[0], result("c-3", refused="invalid_signature"), token="another"),
        "let in",
    ),
}


def _wanted(offset: int, name: str, booking: str, hour: str = "18") -> Asked:
    times = {"starts_at": f"2099-01-01T{hour}:00:00Z", "ends_at": f"2099-01-01T{hour}:59:00Z"}
    made = create(offset, name, booking, "instant", location_id=STRICT)
    return _as(made, booking={**FAR, **times, "notes": "x", "resource_id": "t-1"})


def _made(cause: str, booking: str) -> Records:
    return [event(0, cause, 1, booking, state="confirmed"), result(cause, outcome="applied", version=1)]


_FREED: Records = [
    event(1, "c-2", 2, state="cancelled"),
    result("c-2", outcome="applied", version=2, siblings=frozenset()),
]
_TWO: Records = [_wanted(0, "c-1", "b-1"), replace(_wanted(0, "c-3", "b-2"), lane=OTHERS)]
_APART: Records = [_wanted(0, "c-1", "b-1"), replace(_wanted(0, "c-3", "b-2", "20"), lane=OTHERS)]
_CANCEL: Records = [asked(1, "c-2", "state-action", action="cancel")]

PLACES: dict[str, Case] = {
    "taken": ([*_TWO, *_made("c-1", "b-1"), result("c-3", refused="slot_taken")], None),
    "given back": ([*_TWO, *_CANCEL, *_made("c-1", "b-1"), *_FREED, *_made("c-3", "b-2")], None),
    "taken twice": ([*_TWO, *_made("c-1", "b-1"), *_made("c-3", "b-2")], "an effect that was not to be"),
    "at another time": ([*_APART, *_made("c-1", "b-1"), *_made("c-3", "b-2")], None),
    "at another time, and refused": (
        [*_APART, *_made("c-1", "b-1"), result("c-3", refused="slot_taken")],
        "lost: no event",
    ),
}


def _visit(number: int, *, public: bool = True) -> Asked:
    data = {"location_id": STRICT, "customer_id": "c-1", "visit": {}, "options": {"public_mode": public}}
    command = Command(f"c-{number}", "create-visit", "visit", f"v-{number}", data, reply=True)
    return Asked(NORTH, command, ("visit-commands", number), 0, system=False)


def _come(number: int) -> Records:
    name = f"v-{number}"
    snapshot: dict[str, Any] = {"source": None, "party_size": 1, "tags": [], "state": "waiting"}
    seen = replace(event(0, f"c-{number}", 1, name), identity=("visit", name), snapshot=snapshot)
    return [seen, result(f"c-{number}", outcome="applied", version=1)]


_TURNED_DOWN: Result = result("c-3", refused="max_customer_visits")

VISITS: dict[str, Case] = {
    "one too many": ([*map(_visit, (1, 2, 3)), *_come(1), *_come(2), _TURNED_DOWN], None),
    "one too many, and let in": (
        [*map(_visit, (1, 2, 3)), *_come(1), *_come(2), *_come(3)],
        "an effect that was not to be",
    ),
    "not in public": ([_visit(1), _visit(2), _visit(3, public=False), *_come(1), *_come(2), *_come(3)], None),
    "room, and refused": ([_visit(1), _visit(3), *_come(1), _TURNED_DOWN], "lost: no event"),
}

_KNOWN: Records = [
    replace(create(0, "c-1"), signed=True),
    event(0, "c-1", 1),
    result("c-1", outcome="applied", version=1),
]
_UNSIGNED = asked(1, "c-2", "update-booking", patch={"notes": "first"})


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (_TURNED_AWAY[:1], None),
        ([], "wrong or missing result"),
        ([event(1, "c-2", 2, notes="first"), _TURNED_AWAY[0]], "let in"),
        ([result("c-2", refused="invalid_signature")], "let in"),
    ],
)
def test_who_does_not_sign_is_turned_away(answers: Records, told: str | None) -> None:
    """Where signatures are wanted, an answer is all that there is of it, and it names no account."""
    wrong = judged([*_KNOWN, _UNSIGNED, *answers], signing=True)
    assert (wrong == []) if told is None else any(text.startswith(told) for text in wrong), wrong


def test_internal_channels_need_no_signature() -> None:
    """What comes on them is judged as always, and unsigned commands elsewhere are where signing is off."""
    internal = replace(asked(0, "c-2", "update-booking", TIMERS, patch={"notes": "first"}), system=False)
    internal = replace(internal, command=replace(internal.command, reply=True))
    done: Records = [event(1, "c-2", 2, notes="first"), result("c-2", outcome="applied", version=2)]
    assert judged([*_KNOWN, internal, *done], signing=True) == []
    assert judged([*_KNOWN, _UNSIGNED, *done]) == []


CASES = {
    f"{about}: {name}": case
    for about, cases in (
        ("owners", OWNERS),
        ("rivals", RIVALS),
        ("deadlines", DEADLINES),
        ("links", LINKS),
        ("places", PLACES),
        ("visits", VISITS),
    )
    for name, case in cases.items()
}


@pytest.mark.parametrize("name", CASES)
def test_a_story_is_judged(name: str) -> None:
    """What fits the contract passes; what does not is told."""
    records, told = CASES[name]
    wrong = judged(records)
    if told is None:
        assert wrong == []
    else:
        assert any(text.startswith(told) for text in wrong), wrong
