"""Sequences of commands on an account in memory: patches merge by RFC 7396, and states stay small and sound."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import orjson

from service.domain.commands import Command, Context, UpdateBooking, UpdateVisit
from service.domain.decide import decide
from service.domain.decide import target as aggregate_of
from service.domain.model import Accepted, Refused
from service.received import DeadLetter, Question
from tests.domain.test_merge_properties import rfc7396
from tests.fuzz.frame import BETWEEN, WITHIN, examples
from tests.fuzz.targets.decode import decoded, judge
from tests.support.records import create, location, record, visit
from tests.support.world import Account

MOST_STATE: Final = 1_000_000
MERGED: Final = ("guest", "ext_properties", "metadata")
KEYS: Final = {"create-visit": b"v-1", "update-visit": b"v-1", "configure-location": b"oslo"}


def target(data: bytes) -> None:
    """Decodes and decides one command after the other; each part begins with its type, `!` before an internal one."""
    account = _begun()
    for part in data.split(BETWEEN)[:6]:
        kind, _, value = part.partition(WITHIN)
        name = kind.removeprefix(b"!").decode("latin-1")
        topic = "internal-commands" if kind.startswith(b"!") else None
        found = decoded(record(name, value, "c-1", topic=topic, key=KEYS.get(name, b"b-1")))
        judge(found)
        if not isinstance(found, DeadLetter) and isinstance(found.body, Question):
            account = _decided(account, found.body.command, found.body.context)


def _decided(account: Account, command: Command, context: Context) -> Account:
    decision = decide(account, command, context)
    if isinstance(decision, Refused):
        return account
    assert isinstance(decision, Accepted)
    for changed in decision.changes:
        assert len(orjson.dumps(changed.after.snapshot)) <= MOST_STATE
        assert orjson.loads(orjson.dumps(changed.after.snapshot)) == changed.after.snapshot
    if isinstance(command, UpdateBooking | UpdateVisit):
        _check_merge(account, command, context, decision)
    return account.after(decision)


def _check_merge(account: Account, command: UpdateBooking | UpdateVisit, context: Context, decision: Accepted) -> None:
    kind, name = aggregate_of(command)
    found = account.find(kind, name)
    assert found is not None
    for member in MERGED:
        if member in command.patch:
            merged = rfc7396(found.snapshot[member], command.patch[member])
            assert (decision.state.snapshot[member] or {}) == (merged or {}), member
    again = decide(account.after(decision), command, context._replace(expected_version=None))
    assert isinstance(again, Refused) or not again.changes or "state" in command.patch, "told twice, changed twice"


@cache
def _begun() -> Account:
    account = Account()
    asked = [location(), record("create-booking", create()), record("create-visit", visit())]
    for each in asked:
        found = decoded(each)
        assert not isinstance(found, DeadLetter)
        assert isinstance(found.body, Question)
        account = _decided(account, found.body.command, found.body.context)
    assert len(account.aggregates) == len(asked)
    return account


def seeds() -> Sequence[bytes]:
    """Every example alone, about what is there, and after another one."""
    sound = [_part(kind, data) for kind, data in examples()]
    return [*sound, *(BETWEEN.join(sound[number:] + sound[:3]) for number in range(0, len(sound), 3))]


def _part(kind: str, data: Mapping[str, Any]) -> bytes:
    ids = {"booking_id": "b-1", "visit_id": "v-1", "location_id": "oslo"}
    named = {name: ids.get(name, value) for name, value in data.items()}
    mark = b"!" if kind in ("configure-location", "erase-person") else b""
    return mark + kind.encode() + WITHIN + json.dumps(named).encode()
