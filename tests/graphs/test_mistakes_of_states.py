from pathlib import Path

import pytest

from tests.graphs.examples import HOTEL, LIFT, NAMES, NOT_NAMES, PRESENCE, mistakes

# What is written in place of what, and the line that tells it.
HOTEL_MISTAKES = {
    "unknown key": (
        "initial =",
        "colour = 1\ninitial =",
        "unknown key 'colour' (known: aggregate, initial, levels, by_status, owner_graph, states, actions)",
    ),
    "unknown key of a state": (
        "[states.held]",
        "[states.held]\ncolour = 1",
        "state 'held': unknown key 'colour' (known: level, access, final)",
    ),
    "no aggregate": ('aggregate = "booking"', "", 'aggregate must be "booking" or "visit", is missing'),
    "unknown aggregate": ('"booking"', '"room"', 'aggregate must be "booking" or "visit", is \'room\''),
    "no initial": (
        'initial = "asked"',
        "",
        "initial is missing: name the state that a new one is in, or a list that begins with the default",
    ),
    "unknown initial": (
        'initial = "asked"',
        'initial = ["asked", "hold"]',
        "initial names unknown state 'hold' (known: asked, held, gone)",
    ),
    "initial no text": ('initial = "asked"', "initial = 5", f"initial must be {NOT_NAMES}, is 5"),
    "levels no flag": ("initial =", 'levels = "no"\ninitial =', "levels must be true or false, is 'no'"),
    "unknown by_status": (
        "initial =",
        'by_status = ["lost"]\ninitial =',
        "by_status names unknown state 'lost' (known: asked, held, gone)",
    ),
    "unknown owner": (
        "initial =",
        'owner_graph = "nobody"\ninitial =',
        (
            "owner_graph names unknown graph 'nobody' (known: confirm_decline, group_customer, group_customer_payment, "
            "group_owner, hotel, instant, instant_payment, status, venue, waitlist)"
        ),
    ),
    "owner of visits": (
        "initial =",
        'owner_graph = "waitlist"\ninitial =',
        "owner_graph 'waitlist' is no graph of bookings",
    ),
    "state no table": ("[states.held]", "[states]\nheld = 1", "state 'held': must be a table, is 1"),
    "state not in snake_case": ("held", "Held", f"state 'Held': the name 'Held' {NAMES}"),
    "unreachable state": ("[states.held]", "[states.held]\n[states.lost]", "state 'lost': can't be reached from asked"),
    "level in a graph without": (
        "[states.held]",
        "[states.held]\nlevel = 1",
        "state 'held': level is given, but the graph doesn't say levels = true",
    ),
    "unknown access": (
        "[states.held]",
        '[states.held]\naccess = "shut"',
        "state 'held': unknown access 'shut' (known: open, blocked, read_only)",
    ),
    "dead end": (
        "[states.gone]",
        "[states.gone]\nfinal = false",
        "state 'gone': says final = false, but no action leaves it",
    ),
    "final no flag": ("[states.gone]", "[states.gone]\nfinal = 1", "state 'gone': final must be true or false, is 1"),
    "leaving a read-only state": (
        "[states.held]",
        '[states.held]\naccess = "read_only"',
        "action 'leave': starts in state 'held', which is read_only: nobody could take it",
    ),
}

LIFT_MISTAKES = {
    "no level": (
        "[states.first]\nlevel = 1",
        "[states.first]",
        "state 'first': level is missing: in a level graph every state has one",
    ),
    "level no number": ("level = 1", "level = -1", "state 'first': level must be a whole number from 0 to 1000, is -1"),
    "sinking": (
        'to = "first"',
        (
            'from = ["ground"]\nto = "first"\n'
            '[actions.sink]\nfrom = ["first"]\nto = "ground"\nactors = "all"\n'
            '[actions.ignored]\nfrom = ["first"]\nto = "roof"'
        ),
        "action 'sink': leads from state 'first' to 'ground', which has no higher level",
    ),
    "nothing lower": (
        'to = "first"',
        'to = "ground"',
        "action 'rise': leads to state 'ground', but no state that can be left has a lower level",
    ),
    "without": (
        'to = "first"',
        'to = "first"\nwithout = { member = "price", to = "roof" }',
        "action 'rise': without has no place in a level graph",
    ),
    "by_status": (
        "levels = true",
        'levels = true\nby_status = ["ground", "first"]',
        "by_status has no place in a level graph: a status may lower the level",
    ),
}

VISIT_MISTAKES = {
    "by_status of a visit": (
        'initial = "here"',
        'initial = "here"\nby_status = ["here"]',
        "by_status is for graphs of bookings alone",
    ),
    "owner of a visit": (
        'initial = "here"',
        'initial = "here"\nowner_graph = "group_owner"',
        "owner_graph is for graphs of bookings alone",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), HOTEL_MISTAKES.values(), ids=list(HOTEL_MISTAKES))
def test_a_mistake_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A mistake stops the start with a line that names file, state and action."""
    assert old in HOTEL
    assert f"hotel.toml: {message}" in mistakes(tmp_path, HOTEL.replace(old, new))


@pytest.mark.parametrize(("old", "new", "message"), LIFT_MISTAKES.values(), ids=list(LIFT_MISTAKES))
def test_a_mistake_with_levels_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    """In a level graph nothing leads down or stays, and every state has its level."""
    assert old in LIFT
    assert f"lift.toml: {message}" in mistakes(tmp_path, LIFT.replace(old, new, 1), "lift.toml")


@pytest.mark.parametrize(("old", "new", "message"), VISIT_MISTAKES.values(), ids=list(VISIT_MISTAKES))
def test_a_mistake_with_visits_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    """What bookings alone have can't be said of visits."""
    assert f"presence.toml: {message}" in mistakes(tmp_path, PRESENCE.replace(old, new), "presence.toml")
