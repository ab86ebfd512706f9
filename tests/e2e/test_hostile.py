"""Records that nobody should send, among good ones in one batch of the broker: each is answered, none harms another."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest

from service.relay.headers import RawName
from tests.e2e.broker import Headers, Sent, headers
from tests.e2e.checker import DEAD_LETTERS, RESULTS, Seen
from tests.e2e.stage import ACCOUNT, Stage, create, open_location, stop

BOOKING = "b-1"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A record and what it gets: a refusal with this detail, a dead letter for this reason, or its effect."""

    name: str
    value: bytes | None
    headers: Headers
    outcome: Literal["refused", "dead", "applied"]
    told: str = ""


def _body(notes: str, more: str = "") -> bytes:
    return f'{{"account_id": "{ACCOUNT}", "booking_id": "{BOOKING}", "patch": {{"notes": {notes}}}{more}}}'.encode()


def _plain(name: str, **more: str) -> Headers:
    return headers(name, "update-booking", **more)


def _structured(attributes: str) -> bytes:
    fixed = '"specversion": "1.0", "type": "update-booking"'
    return f'{{{fixed}, {attributes}, "data": {_GOOD.decode()}}}'.encode()


def _nested(depth: int, inner: str = "") -> str:
    return ', "x": ' + "[" * depth + inner + "]" * depth


_STRUCTURED: Headers = [("content-type", b"application/cloudevents+json")]
_GOOD = _body('"x"')


def _records() -> list[Hostile]:
    def refused(name: str, value: bytes, told: str = "invalid_field", more: Headers = ()) -> Hostile:
        return Hostile(name, value, [*_plain(name), *more], "refused", told)

    def dead(name: str, value: bytes | None, told: str, found: Headers | None = None) -> Hostile:
        return Hostile(name, value, _plain(name) if found is None else found, "dead", told)

    return [
        dead("bad-header-value", _GOOD, "header_not_utf8", [*_plain("bad-header-value"), ("x-odd", b"\xff\x00")]),
        dead("bad-header-name", _GOOD, "header_not_utf8", [*_plain("n"), (RawName("x-\udcff"), b"1")]),
        Hostile("null-header", _body('"null header"'), [*_plain("null-header"), ("ce_subject", None)], "applied"),
        dead("null-id", _GOOD, "missing_attribute", [*_plain("x")[:1], *_plain("x")[2:], ("ce_id", None)]),
        refused("repeated-header", _GOOD, more=[("ce_subject", b"a"), ("CE_Subject", b"b")]),
        refused("repeated-id", _GOOD, more=[("ce_id", b"other")]),
        dead("null-value", None, "invalid_json"),
        dead("empty-value", b"", "invalid_json"),
        refused("nested-some", _body('"x"', _nested(90)), "unknown_field"),
        refused("nested-float", _body('"x"', _nested(150, "1.5")), "unknown_field"),
        dead("nested-deeper", _body('"x"', _nested(300, "1.5")), "invalid_json"),
        dead("nested-at-the-stack", _body('"x"', _nested(1010)), "invalid_json"),
        dead("nested-deepest", _body('"x"', _nested(100_000)), "invalid_json"),
        dead("mebibyte", _GOOD.ljust(1 << 20), "value_too_large"),
        dead("nan", _body('"x"', ', "expected_version": NaN'), "invalid_json"),
        dead("infinity", _body('"x"', ', "expected_version": -Infinity'), "invalid_json"),
        Hostile(
            "duplicate-keys",
            _body('"lost", "notes": "duplicate keys"', f', "booking_id": "{BOOKING}"'),
            _plain("duplicate-keys"),
            "applied",
        ),
        refused("long-integer", _body('"x"', ', "expected_version": ' + "9" * 400)),
        refused("longer-integer", _body('"x"', ', "expected_version": ' + "9" * 5000)),
        refused("long-fraction", _body('"x"', ', "expected_version": 1e400')),
        refused("lone-surrogate", _body('"\\ud800"')),
        refused("surrogate-member", _body('"x"', ', "\\udfff": 1')),
        dead("surrogate-id", _structured('"id": "\\ud800", "source": "//s"'), "missing_attribute", _STRUCTURED),
        dead("surrogate-source", _structured('"id": "s-2", "source": "\\ud800"'), "missing_attribute", _STRUCTURED),
        dead("not-utf8", b'{"booking_id": "\xff"}', "invalid_json"),
        dead("byte-order-mark", b"\xef\xbb\xbf" + _GOOD, "invalid_json"),
        refused("control-in-header", _GOOD, more=[("ce_correlationid", b"a\x00b")]),
    ]


def _batch(hostile: list[Hostile]) -> list[Sent]:
    """A good neighbour after each hostile record."""
    key = BOOKING.encode()
    records = [Sent("booking-commands", key, one.value, one.headers) for one in hostile]
    good = [
        Sent("booking-commands", key, _body(f'"after {one.name}"'), _plain(f"good-{number}"))
        for number, one in enumerate(hostile)
    ]
    return [record for pair in zip(records, good, strict=True) for record in pair]


@pytest.mark.timeout(120)
async def test_each_gets_its_answer_and_the_neighbours_are_applied(stage: Stage) -> None:
    """Refusals and dead letters as the contract says, bytes untouched; every good command between has its effect."""
    hostile = _records()
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.send([create(BOOKING)])
        await stage.broker.send_batches("booking-commands", _batch(hostile))
        stage.sent += 2 * len(hostile)
        await stage.settle()
        assert service.problems() == []
        assert await stop(service) == 0
    notes = [record.body["booking"]["notes"] for record in await stage.events()]
    assert notes == [None, *_expected_notes(hostile)]
    _check_refusals([one for one in hostile if one.outcome == "refused"], await stage.broker.read([RESULTS]))
    _check_letters([one for one in hostile if one.outcome == "dead"], await stage.broker.read([DEAD_LETTERS]))


def _expected_notes(hostile: list[Hostile]) -> list[str]:
    notes = []
    for one in hostile:
        if one.outcome == "applied":
            notes.append(one.name.replace("-", " "))
        notes.append(f"after {one.name}")
    return notes


def _check_refusals(hostile: list[Hostile], results: list[Seen]) -> None:
    refused = {record.body["command_id"]: (record.body["status"], record.body["detail"]) for record in results}
    assert refused == {one.name: (400, one.told) for one in hostile}


def _check_letters(hostile: list[Hostile], letters: list[Seen]) -> None:
    by_offset: Callable[[Seen], int] = lambda record: int(record.header("dlq_offset"))  # noqa: E731
    ordered = sorted(letters, key=by_offset)
    assert [record.header("dlq_reason") for record in ordered] == [one.told for one in hostile]
    for one, letter in zip(hostile, ordered, strict=True):
        assert (letter.key, letter.value) == (BOOKING.encode(), one.value), one.name
        assert list(letter.headers[: len(one.headers)]) == list(one.headers), one.name
        assert letter.header("dlq_topic") == "booking-commands"


def test_the_bodies_are_what_they_are_meant_to_be() -> None:
    """The good body is sound JSON, so that what is refused is the twist alone."""
    assert json.loads(_GOOD)["patch"] == {"notes": "x"}
