import json

import pytest

from service.cli.follow import Seen
from service.cli.render import as_json, says, subject
from service.cli.tail import line
from tests.cli.records import event, letter, record, result


@pytest.mark.parametrize(
    ("seen", "about", "text"),
    [
        (event(), "booking acc-1/b-1", "v2  registered -> confirmed  confirm  by external"),
        (
            event(version=1, from_state=None, to_state="registered", action="create", changes={"notes": [None, "x"]}),
            "booking acc-1/b-1",
            "v1  registered  create  by external",
        ),
        (
            event(
                from_state="confirmed", action=None, reason="moved", changes={"notes": ["a", None], "tags": [[], ["b"]]}
            ),
            "booking acc-1/b-1",
            'v2  confirmed  by external  reason "moved"  notes: "a" -> null, tags: [] -> ["b"]',
        ),
        (
            event(replicated_from="b-9"),
            "booking acc-1/b-1",
            "v2  registered -> confirmed  confirm  by external  replicated from b-9",
        ),
        (
            event(from_state="confirmed", action=None, changes={f"m{n}": [None, n] for n in range(6)}),
            "booking acc-1/b-1",
            "v2  confirmed  by external  m0: null -> 0, m1: null -> 1, m2: null -> 2, m3: null -> 3, 2 more",
        ),
        (
            result("accepted", deprecated=["notes"], siblings=[{"outcome": "applied"}, {"outcome": "refused"}]),
            "booking acc-1/b-1",
            "applied  v2  confirmed  siblings: 1 applied, 1 refused  deprecated: notes",
        ),
        (
            result(
                "refused", status=400, detail="unknown_field", message="No.", errors=[{"pointer": "/x", "detail": "?"}]
            ),
            "booking acc-1/b-1",
            "400 unknown_field: No. [/x ?]",
        ),
        (letter(7), "key till-3", "invalid_json: no JSON  (from booking-commands/3@7)"),
        (
            record(
                "booking-events", {"account_id": "a", "booking_id": "b", "version": 3}, {"ce_type": "booking-snapshot"}
            ),
            "booking a/b",
            "v3  as it stands",
        ),
        (record("visit-events", b"\xff", {}), " ", "ce_type None is not known to this version"),
    ],
)
def test_a_record_says_what_happened(seen: Seen, about: str, text: str) -> None:
    """In one line for people."""
    assert (subject(seen), says(seen)) == (about, text)


def test_a_terminal_is_not_given_orders() -> None:
    """Control characters of a record are shown, not obeyed."""
    hostile = event(reason="\x1b[2J\n\x9b31m")
    assert "\x1b[2J" not in line(hostile)
    assert "\n" not in line(hostile)
    assert "\x9b" not in line(hostile)


def test_a_line_begins_with_time_and_kind() -> None:
    """The time is UTC."""
    assert line(event()).startswith("2030-03-17T17:46:40Z  ")


def test_a_record_is_written_as_json_whatever_it_holds() -> None:
    """Values that are no JSON objects come as text."""
    assert json.loads(as_json(event()))["value"]["to_state"] == "confirmed"
    told = json.loads(as_json(letter(7, b"\xffx")))
    assert (told["topic"], told["key"], told["value"]) == ("commands-dlq", "till-3", "\\xffx")
    assert told["headers"]["dlq_offset"] == "7"
    assert json.loads(as_json(record("commands-dlq", None, {}, key=None)))["value"] is None
