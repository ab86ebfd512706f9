import json
import random
from typing import Any

import pytest

from schemas.commands import COMMANDS
from service.decode.record import decode
from service.handle import batch
from service.record import Record
from tests.handle.harness import Bench, summaries
from tests.support.records import act, create, record, update, visit
from tests.support.rows import Sent

JUNK = [
    b"NaN",
    b"1e999",
    b'"\\ud800"',
    b"[" * 600,
    b"null",
    b"9" * 30,
    b"\\u0000",
    b'"',
    b"}",
    b"\xff",
    b"{}",
    b"[]",
    b"-1",
]
DEAD = {
    "value": record("update-booking", update(), headers=[("x", b"\xff")]),
    "name": record("update-booking", update(), headers=[("x\udcff", b"1"), ("ü", b"2")]),
    "null": record("update-booking", None),
    "null header": record("update-booking", update(), ce_id=None),
    "nan": record("update-booking", b'{"account_id":"acc-1","booking_id":"b-1","patch":{"price":NaN}}'),
    "deep": record("update-booking", b"[" * 200_000, key=None),
    "1 MiB": record("update-booking", b"x" * 2**20, key=b"\x00\xff"),
    "surrogate id": record("update-booking", b'{"account_id":"acc-1","booking_id":"\\ud800","patch":{}}'),
    "structured": Record("booking-commands", 0, 0, b"b-1", b'{"specversion":"1.0","id":"\\ud800","source":"s"}',
                         (("content-type", b"application/cloudevents+json"),), 0),
}  # fmt: skip
REFUSED = {
    "repeated header": record("update-booking", update("b-0"), headers=[("CE_ID", b"x")]),
    "integer": record("update-booking", update("b-0", patch={"guest_count": int("7" * 400)})),
    "surrogate": record("update-booking", update("b-0", patch={"notes": "\ud800"})),
    "surrogate name": record("update-booking", update("b-0", patch={"\udfff": 1})),
    "nested": record("update-booking", update("b-0", patch=json.loads('{"guest":' * 150 + "1" + "}" * 150))),
    "control": record("update-booking", update("b-0"), "id\x00\x1f"),
    "long id": record("update-booking", update("b-0"), "x" * 100_000, ce_source="y" * 100_000),
    "flood": record("update-booking", update("b-0"), headers=[(f"ce_{n}{'z' * 600}", b"\x00") for n in range(2000)]),
    "unknown": record("update-booking", update("b-0") | {f"{n}\x00~/é": n for n in range(5000)}),
    "key": record("update-booking", update("b-0"), key=None),
    "account": record("update-booking", update("b-0") | {"account_id": "\ud800"}),
}


async def test_bad_records_among_good_ones(bench: Bench) -> None:
    """Every bad record gets its dead letter, untouched, or its refusal, and every neighbour is applied."""
    mixed = []
    for n, each in enumerate([*DEAD.values(), *REFUSED.values()]):
        mixed += [record("create-booking", create(f"n-{n}")), each]
    found = await bench.apply(*mixed)
    letters = [each for each in found if each.type == "dead-letter"]
    assert [(each.key, each.bytes, each.raw[: len(each.raw) - 8]) for each in letters] == [
        (each.key, each.value, each.headers) for each in DEAD.values()
    ]
    assert [row[0] for row in summaries(found)].count("booking-changed") == len(mixed) // 2
    refused = [each for each in found if each.type == "command-refused"]
    assert [each.value["status"] for each in refused] == [400] * len(REFUSED)
    assert all(len(each.bytes or b"") < 100_000 for each in refused)


async def test_duplicate_members(bench: Bench) -> None:
    """Of a member that is given twice the last counts."""
    asked = create("b-1", booking={"notes": "first"})
    text = json.dumps(asked).replace('"notes": "first"', '"notes": "first", "notes": "last"')
    event = await bench.one(record("create-booking", text.encode(), key=b"b-1"))
    assert event.value["booking"]["notes"] == "last"


async def test_a_record_that_breaks_the_decoder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the decoder costs one record its decision, and is a dead letter; its neighbours are applied."""

    def broken(asked: Record, *known: Any) -> object:
        if asked.key == b"bad":
            raise ZeroDivisionError
        return decode(asked, *known)

    monkeypatch.setattr(batch, "decode", broken)
    found = await bench.apply(*(record("create-booking", create(name)) for name in ("b-1", "bad", "b-2")))
    assert sorted(summaries(found)) == [
        ("booking-changed", "b-1", 1),
        ("booking-changed", "b-2", 1),
        ("dead-letter", "bad", "internal_error"),
    ]


def mutated(chance: random.Random) -> Record:
    """A sound command with some of its bytes changed, of any type, on any channel."""
    name = f"b-{chance.randrange(5)}"
    sound = chance.choice(
        [
            record("create-booking", create(name, bulk_id="k", booking={"resource_id": chance.choice(["r", None])})),
            record("update-booking", update(name, patch={"guest": {"email": "a@b.example"}})),
            record("update-booking", update(name, patch={"ends_at": "9999-12-31T23:59:59Z"})),
            record("create-visit", visit(f"v-{chance.randrange(5)}", date="2026-12-24T18:00", duration=86400,
                                         resource_ids=["r"], external_id="x", options={"public_mode": True})),
            record("state-action", act(name, "cancel", inputs={"message": "x"})),
        ]
    )  # fmt: skip
    value = bytearray(sound.value or b"")
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(value) + 1)
        value[at : at + chance.randrange(6)] = chance.choice([*JUNK, bytes([chance.randrange(256)])])
    headers = list(sound.headers)
    if chance.random() < 0.2:
        headers[chance.randrange(len(headers))] = (
            chance.choice(["ce_id", "ce_type", "x"]),
            chance.choice([None, *JUNK]),
        )
    if chance.random() < 0.2:
        headers = [(name, chance.choice(list(COMMANDS)).encode() if name == "ce_type" else v) for name, v in headers]
    topic = chance.choice([sound.topic, sound.topic, sound.topic, "internal-commands", "visit-commands"])
    return Record(topic, 0, 0, sound.key, bytes(value), tuple(headers), sound.timestamp)


@pytest.mark.parametrize("seed", range(5))
async def test_any_batch_is_applied(bench: Bench, seed: int) -> None:
    """Whatever a batch of changed bytes holds, it is applied, and nothing in it breaks a rule of ours."""
    chance = random.Random(seed)  # noqa: S311
    await bench.begin(booking_allow_overbooking=False, max_customer_visits=2)
    found: list[Sent] = []
    for _ in range(3):
        found += await bench.apply(*(mutated(chance) for _ in range(300)))
    assert not [each.headers for each in found if each.headers.get("dlq_reason") == "internal_error"]
    assert {each.type for each in found} >= {"booking-changed", "visit-changed", "command-refused", "dead-letter"}
