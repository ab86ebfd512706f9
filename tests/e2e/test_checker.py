"""The checker of the judged run notices every broken promise, and nothing where all holds."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.checker import Seen, check
from tests.e2e.model import Applied, Command, Expected, Model

ACCOUNT = "acc-1"
Records = list[Seen]


def _commands() -> list[Command]:
    def booking(name: str, kind: str, **data: Any) -> Command:
        return Command(name, kind, "booking", "b-1", data, reply=name == "c-2")

    times = {"starts_at": "2099-01-01T12:00:00Z", "ends_at": "2099-01-01T13:00:00Z"}
    return [
        booking("c-1", "create-booking", location_id="oslo", graph="venue", booking={**times, "notes": "x"}),
        booking("c-2", "update-booking", patch={"guest_count": 3}),
        booking("c-3", "state-action", action="seat"),
        booking("c-4", "state-action", action="confirm"),
        booking("c-3", "state-action", action="seat"),
    ]


@pytest.fixture
def expected() -> Expected:
    """What the model makes of a creation, a change, a refusal sent twice and a move."""
    model = Model(ACCOUNT)
    for command in _commands():
        model.send(command)
    return model.expected


@pytest.fixture
def seen(expected: Expected) -> Records:
    """Records of a service that keeps every promise."""
    events = [
        _event(expected, command, offset)
        for offset, (command, outcome) in enumerate(expected.outcomes.items())
        if isinstance(outcome, Applied)
    ]
    refused = _result("c-3", "command-refused", 0, detail="actor_not_allowed")
    accepted = _result("c-2", "command-accepted", 2, outcome="applied", version=2)
    return [*events, refused, replace(refused, offset=1), accepted]


def _event(expected: Expected, command: str, offset: int) -> Seen:
    outcome = expected.outcomes[command]
    assert isinstance(outcome, Applied)
    body = {
        "account_id": ACCOUNT,
        "booking_id": "b-1",
        "version": outcome.version,
        "booking": dict(outcome.snapshot),
        "command_id": command,
    }
    headers = {"ce_id": f"e-{command}", "ce_sequence": f"{outcome.version:020}", "ce_causationid": command}
    return _seen("booking-events", offset, headers, body)


def _result(command: str, kind: str, offset: int, **body: Any) -> Seen:
    return _seen("command-results", offset, {"ce_id": f"r-{command}", "ce_type": kind}, {"command_id": command, **body})


def _seen(topic: str, offset: int, headers: dict[str, str], body: dict[str, Any]) -> Seen:
    pairs = tuple((name, value.encode()) for name, value in headers.items())
    return Seen(topic, 0, offset, b"b-1", pairs, json.dumps(body).encode())


def _altered(record: Seen, **members: Any) -> Seen:
    return replace(record, value=json.dumps({**record.body, **members}).encode())


def test_the_model_knows_the_contract(expected: Expected) -> None:
    """Three changes, one refusal, and what has to be answered how often."""
    assert [type(outcome).__name__ for outcome in expected.outcomes.values()] == [
        "Applied",
        "Applied",
        "Refused",
        "Applied",
    ]
    assert expected.results == {"c-2": 1, "c-3": 2}
    assert expected.records == 5


def test_a_run_without_fault_passes(expected: Expected, seen: Records) -> None:
    """Nothing is reported where every promise is kept."""
    assert check(expected, seen) == []


def test_repeats_at_the_end_are_fine(expected: Expected, seen: Records) -> None:
    """At least once: the same bytes under the same ce_id may come again, later versions after them too."""
    again = [replace(record, offset=10 + number) for number, record in enumerate(seen[:3])]
    assert check(expected, [*seen, *again]) == []


def _lose(seen: Records) -> Records:
    return seen[:2] + seen[3:]


def _gap(seen: Records) -> Records:
    return [seen[0], *seen[2:]]


def _double(seen: Records) -> Records:
    twice = _altered(seen[2], version=4)
    headers = (("ce_id", b"other"), ("ce_sequence", b"%020d" % 4), ("ce_causationid", b"c-4"))
    return [*seen, replace(twice, headers=headers, offset=10)]


def _reorder(seen: Records) -> Records:
    return [seen[0], replace(seen[1], offset=9), *seen[2:]]


def _other_bytes(seen: Records) -> Records:
    return [*seen, replace(_altered(seen[0], reason="x"), offset=10)]


def _other_result(seen: Records) -> Records:
    return [*seen[:-1], _altered(seen[-1], outcome="unchanged")]


def _other_state(seen: Records) -> Records:
    return [_altered(seen[0], booking={**seen[0].body["booking"], "notes": "y"}), *seen[1:]]


def _unasked(seen: Records) -> Records:
    return [*seen, _result("c-1", "command-accepted", 10, outcome="applied", version=1)]


def _silence(seen: Records) -> Records:
    return seen[:-2] + seen[-1:]


def _dead(seen: Records) -> Records:
    return [*seen, replace(seen[0], topic="commands-dlq")]


def _stranger(seen: Records) -> Records:
    return [*seen, replace(_altered(seen[0], booking_id="b-2", command_id="c-9"), offset=10)]


@pytest.mark.parametrize(
    ("break_it", "promise"),
    [
        (_lose, "lost: no event of command c-4"),
        (_gap, "gap: b-1 version 3 follows 1"),
        (_gap, "lost: no event of command c-2"),
        (_double, "two effects: command c-4"),
        (_reorder, "out of order: b-1 version 2"),
        (_other_bytes, "different bytes for one ce_id: e-c-1"),
        (_other_result, "wrong result: command-accepted unchanged for c-2"),
        (_other_state, "wrong state: b-1 version 1"),
        (_unasked, "a result that nobody asked for"),
        (_silence, "lost: 1 results for c-3"),
        (_dead, "dead letter"),
        (_stranger, "an event that nobody caused"),
    ],
)
def test_a_broken_promise_is_told(
    expected: Expected, seen: Records, break_it: Callable[[Records], Records], promise: str
) -> None:
    """Each kind of fault is found and named."""
    wrong = check(expected, break_it(seen))
    assert any(text.startswith(promise) for text in wrong), wrong
