from pathlib import Path

import pytest

from tests.graphs.examples import DURATION, HOTEL, NAMES, NOT_NAMES, mistakes

# What is written in place of what, and the line that tells it.
MISTAKES = {
    "unknown key of an action": (
        'to = "held"',
        'to = "held"\nform = []',
        "action 'hold': unknown key 'form' (known: from, to, actors, inputs, autoplay, tag, without, cascade)",
    ),
    "unknown key of an input": (
        "max_length = 20",
        "size = 20",
        "action 'hold': input 'room': unknown key 'size' (known: kind, required, max_length)",
    ),
    "unknown key of autoplay": (
        "relative_to =",
        "since =",
        "action 'hold': autoplay: unknown key 'since' (known: after, relative_to)",
    ),
    "action not in snake_case": (
        "actions.leave",
        "actions.leaveNow",
        f"action 'leaveNow': the name 'leaveNow' {NAMES}",
    ),
    "action called create": (
        "actions.leave",
        "actions.create",
        "action 'create': the name 'create' is taken: events say it of a creation",
    ),
    "no source": (
        'from = ["asked", "held"]',
        "",
        "action 'leave': from is missing: outside level graphs an action lists the states it starts in",
    ),
    "sources empty": ('["asked", "held"]', "[]", f"action 'leave': from must be {NOT_NAMES}, is []"),
    "unknown source": (
        '["asked", "held"]',
        '["asked", "held", "lost"]',
        "action 'leave': from names unknown state 'lost' (known: asked, held, gone)",
    ),
    "source twice": (
        '["asked", "held"]',
        '["asked", "asked"]',
        f"action 'leave': from must be {NOT_NAMES}, is ['asked', 'asked']",
    ),
    "to itself": (
        '["asked", "held"]',
        '["asked", "held", "gone"]',
        "action 'leave': leads from state 'gone' to itself",
    ),
    "no target": ('to = "gone"', "", "action 'leave': to is missing: name the state that the action leads to"),
    "unknown target": (
        'to = "gone"',
        'to = "lost"',
        "action 'leave': to names unknown state 'lost' (known: asked, held, gone)",
    ),
    "no actors": (
        'actors = "all"',
        "",
        "action 'leave': actors is missing: \"all\", or a list out of external, customer, internal, system",
    ),
    "actors empty": ('actors = "all"', "actors = []", f"action 'leave': actors must be {NOT_NAMES}, is []"),
    "unknown actor": (
        '"internal", ',
        '"waiter", ',
        "action 'hold': unknown actor 'waiter' (known: external, customer, internal, system)",
    ),
    "input not in snake_case": ("inputs.room", "inputs.Room", f"action 'hold': input 'Room': the name 'Room' {NAMES}"),
    "unknown input kind": (
        '"text"',
        '"number"',
        "action 'hold': input 'room': unknown kind 'number' (known: text, id)",
    ),
    "length of an id": ('"text"', '"id"', "action 'hold': input 'room': an id has no max_length of its own: it is 64"),
    "input too long": (
        "= 20",
        "= 2001",
        "action 'hold': input 'room': max_length must be a whole number from 1 to 2000, is 2001",
    ),
    "bad duration": ('"5m"', '"5 minutes"', f"action 'hold': autoplay: after must be {DURATION}, is '5 minutes'"),
    "duration too long": ('"5m"', '"3661d"', f"action 'hold': autoplay: after must be {DURATION}, is '3661d'"),
    "duration no text": ('"5m"', "300", f"action 'hold': autoplay: after must be {DURATION}, is 300"),
    "no duration": ('after = "5m", ', "", "action 'hold': autoplay: after is missing: a duration such as \"1h\""),
    "autoplay at once": (
        '"5m"',
        '"0s"',
        "action 'hold': autoplay: after must be more than zero where the clock starts at the state's entry",
    ),
    "unknown member": (
        '"entry"',
        '"begins_at"',
        "action 'hold': autoplay: relative_to names unknown member 'begins_at' (known: entry, starts_at, ends_at)",
    ),
    "autoplay without the system": (
        ', "system"',
        "",
        "action 'hold': plays by itself, but system is not among its actors",
    ),
    "autoplay with inputs": (
        "max_length = 20",
        "required = true",
        "action 'hold': plays by itself, but requires the input 'room'",
    ),
    "tag too long": (
        'to = "held"',
        f'to = "held"\ntag = "{"x" * 65}"',
        f"action 'hold': tag must be printable text of at most 64 characters, is '{'x' * 65}'",
    ),
    "unknown member of without": (
        'to = "held"',
        'to = "held"\nwithout = { member = "dat", to = "gone" }',
        (
            "action 'hold': without: unknown member 'dat' of a booking "
            "(known: customer_id, price, provider_id, resource_id, service_id, time_slot_id)"
        ),
    ),
    "without by halves": (
        'to = "held"',
        'to = "held"\nwithout = { member = "price" }',
        "action 'hold': without: member and to must both be given",
    ),
    "without to nowhere": (
        'to = "held"',
        'to = "held"\nwithout = { member = "price", to = "lost" }',
        "action 'hold': to names unknown state 'lost' (known: asked, held, gone)",
    ),
    "cascade to nobody": (
        'to = "held"',
        'to = "held"\ncascade = "leave"',
        "action 'hold': cascade 'leave' is an action of no graph that says owner_graph = \"hotel\"",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A mistake in an action stops the start with a line that names file, state and action."""
    assert old in HOTEL
    assert f"hotel.toml: {message}" in mistakes(tmp_path, HOTEL.replace(old, new))
