from typing import Any

import pytest
from pydantic import ValidationError

from schemas import COMMANDS, problems
from schemas.errors import MAX_POINTER, MAX_PROBLEMS, pointer
from schemas.headers import TOPICS, dataschema


def _problems(kind: str, data: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    with pytest.raises(ValidationError) as caught:
        COMMANDS[kind].model_validate(data)
    return problems(caught.value, kind)


def _patch(**members: Any) -> tuple[str, list[tuple[str, str]]]:
    return _problems("update-booking", {"account_id": "a", "booking_id": "b", "patch": members})


@pytest.mark.parametrize(
    ("parts", "expected"),
    [((), ""), (("a", 0, "b"), "/a/0/b"), (("a/b", "m~n"), "/a~1b/m~0n"), (("", " "), "// "), (("~1",), "/~01")],
)
def test_pointer_is_escaped(parts: tuple[str | int, ...], expected: str) -> None:
    """A JSON Pointer escapes ~ before /."""
    assert pointer(parts) == expected


def test_texts_say_what_is_wanted() -> None:
    """Each error has a short text that names the bound."""
    assert _patch(guest_count=0)[1] == [("/patch/guest_count", "must be at least 1")]
    assert _patch(guest_count=10_001)[1] == [("/patch/guest_count", "must be at most 10000")]
    assert _patch(tags=["t"] * 11)[1] == [("/patch/tags", "must have at most 10 items")]
    assert _patch(colour=1)[1] == [("/patch/colour", "is unknown")]
    assert _patch(graph="x")[1] == [("/patch/graph", "cannot be changed")]
    assert _patch(guest=[])[1] == [("/patch/guest", "must be an object")]
    assert _patch(tags={})[1] == [("/patch/tags", "must be a list")]
    assert _patch(notes="x" * 2001)[1] == [("/patch/notes", "must have 0 to 2000 characters")]


def test_detail_is_of_the_kind_that_all_errors_are() -> None:
    """Only errors of one kind give that kind as the detail."""
    assert _patch(colour=1, shape=2)[0] == "unknown_field"
    assert _patch(graph="x", bulk_id="y")[0] == "immutable_field"
    assert _patch(graph="x", colour=1)[0] == "invalid_field"
    assert _patch(graph="x", notes=1)[0] == "invalid_field"


def test_immutable_members_are_those_of_their_command() -> None:
    """What cannot change in a booking is simply unknown in a visit."""
    assert (
        _problems("update-visit", {"account_id": "a", "visit_id": "v", "patch": {"graph": "x"}})[0] == "unknown_field"
    )
    assert (
        _problems("update-visit", {"account_id": "a", "visit_id": "v", "patch": {"visit_id": "x"}})[0]
        == "immutable_field"
    )


def test_errors_are_bounded() -> None:
    """However much is wrong, a refusal stays small; a long pointer is shortened to what holds the member."""
    _, found = _patch(**{f"m{number}": 1 for number in range(1000)})
    assert len(found) == MAX_PROBLEMS
    _, found = _patch(**{"x" * MAX_POINTER: 1, "y" * 10_000: 1})
    assert found == [("/patch", "is unknown")]


def test_errors_of_broken_unicode_can_be_written() -> None:
    """A name or a key with a lone surrogate gives pointers that are valid Unicode."""
    for data in ({"\ud800": 1}, {"ext_properties": {"\ud800": "x"}}, {"ext_properties": {"k": "\ud800"}}):
        for place, message in _patch(**data)[1]:
            place.encode()
            message.encode()
            assert "[key]" not in place


def test_rules_between_members_are_told_with_the_rest() -> None:
    """Both ids, both wishes and a wrong member are three errors at once."""
    data = {"account_id": "a", "booking_id": "b", "visit_id": "v", "action": "x", "state": "y", "inputs": 1}
    assert sorted(place for place, _ in _problems("state-action", data)[1]) == ["/action", "/inputs", "/visit_id"]
    for wrong in ({"action": 1}, {"state": 1}):
        where = "/" + next(iter(wrong))
        found = _problems("state-action", {"account_id": "a", "booking_id": "b", **wrong})[1]
        assert [place for place, _ in found] == [where]


def test_topics_and_schema_uris_have_their_names() -> None:
    """The names that consumers configure are those of the contract."""
    assert dataschema("booking-changed") == "urn:bookstream:schema:booking-changed.v1"
    assert [topic.name for topic in TOPICS] == [
        "booking-commands",
        "visit-commands",
        "internal-commands",
        "commands-replay",
        "booking-events",
        "visit-events",
        "command-results",
        "commands-dlq",
    ]
