"""The gate on the contract: nothing may break a sender or a consumer who was built against a released schema.

The service reads commands, so each new command schema must take whatever a released one took. It writes events and
results for consumers who ignore members that they do not know, so what it writes must fit the released schemas with
that tolerance.
"""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsoncompat
import pytest

from schemas.commands import COMMANDS
from schemas.generate import MESSAGES, schema_of
from tests.contracts.catalogue import ROOT

RELEASES = sorted(path for path in (ROOT / "released").iterdir() if path.is_dir())
Schema = dict[str, Any]


def _tolerant(node: Any) -> Any:
    """A reader's view of a schema: unknown members are ignored."""
    if isinstance(node, dict):
        return {k: _tolerant(v) for k, v in node.items() if not (k == "additionalProperties" and v is False)}
    return [_tolerant(item) for item in node] if isinstance(node, list) else node


def compatible(name: str, released: Schema, now: Schema) -> bool:
    """Whether a message type may change from the released schema to the present one."""
    old, new = ({key: item for key, item in schema.items() if key != "$id"} for schema in (released, now))
    if name in COMMANDS:
        return bool(jsoncompat.check_compat(json.dumps(old), json.dumps(new), "deserializer"))
    return bool(jsoncompat.check_compat(json.dumps(_tolerant(old)), json.dumps(new), "serializer"))


def _released(release: Path, name: str) -> Schema:
    schema: Schema = json.loads((release / f"{name}.v1.schema.json").read_text(encoding="utf-8"))
    return schema


def _released_messages() -> Iterator[tuple[Path, str]]:
    for release in RELEASES:
        yield from ((release, path.name.removesuffix(".v1.schema.json")) for path in sorted(release.glob("*.json")))


@pytest.mark.parametrize(
    ("release", "name"), list(_released_messages()), ids=lambda value: getattr(value, "name", value)
)
def test_nothing_breaks_who_was_built_against_a_release(release: Path, name: str) -> None:
    """Every message type that a release had is still there, and compatible with each of its released schemas."""
    assert name in MESSAGES
    assert compatible(name, _released(release, name), schema_of(name))


def _drop_patch_member(schema: Schema) -> None:
    del schema["$defs"]["BookingPatch"]["properties"]["notes"]


def _tighten_a_limit(schema: Schema) -> None:
    schema["$defs"]["BookingPatch"]["properties"]["tags"]["maxItems"] = 5


def _require_a_member(schema: Schema) -> None:
    schema["required"].append("reason")


@pytest.mark.parametrize("break_it", [_drop_patch_member, _tighten_a_limit, _require_a_member])
def test_the_gate_closes_on_a_broken_command(break_it: Callable[[Schema], None]) -> None:
    """A command that takes less than before is found."""
    broken = copy.deepcopy(schema_of("update-booking"))
    break_it(broken)
    assert not compatible("update-booking", schema_of("update-booking"), broken)


def _drop_a_member(schema: Schema) -> None:
    del schema["properties"]["silent"]
    schema["required"].remove("silent")


def _change_a_type(schema: Schema) -> None:
    schema["properties"]["silent"] = {"type": "string"}


@pytest.mark.parametrize("break_it", [_drop_a_member, _change_a_type])
def test_the_gate_closes_on_a_broken_event(break_it: Callable[[Schema], None]) -> None:
    """An event that lacks or alters what consumers rely on is found."""
    broken = copy.deepcopy(schema_of("booking-changed"))
    break_it(broken)
    assert not compatible("booking-changed", schema_of("booking-changed"), broken)


def test_the_gate_lets_additions_through() -> None:
    """A new optional member of a command and a new member of an event break nobody."""
    command, event = (copy.deepcopy(schema_of(name)) for name in ("update-booking", "booking-changed"))
    command["properties"]["added"] = {"type": "string"}
    event["properties"]["added"] = {"type": "string"}
    assert compatible("update-booking", schema_of("update-booking"), command)
    assert compatible("booking-changed", schema_of("booking-changed"), event)
