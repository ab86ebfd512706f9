"""What a record says, in one line for people."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from schemas import headers as names
from service.cli.follow import Seen

LONGEST_VALUE: Final = 40
LONGEST_LIST: Final = 4
# They say nothing beside the state change and the members that stand in a line anyway.
UNTOLD: Final = frozenset({"state", "location_id", "graph"})


def time_text(seen: Seen) -> str:
    """When it was written, in UTC."""
    return datetime.fromtimestamp(seen.time / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def subject(seen: Seen) -> str:
    """What it is about: type, and id within the account; of a dead letter its key."""
    if seen.kind == "dead letter":
        return "key -" if seen.key is None else f"key {seen.key.decode('utf-8', 'backslashreplace')}"
    account, kind, identity = seen.aggregate
    return f"{kind} {account}/{identity}" if account else f"{kind} {identity}"


def says(seen: Seen) -> str:
    """What happened: the state change and what changed, why it was refused, why it is no command."""
    match seen.kind:
        case "changed":
            return change(seen.value)
        case "snapshot":
            return f"v{seen.value.get('version')}  as it stands"
        case "accepted":
            return acceptance(seen.value)
        case "refused":
            return refusal(seen.value)
        case "dead letter":
            return dead_letter(seen.headers)
        case "other":
            return f"ce_type {seen.headers.get(names.CE_TYPE)!r} is not known to this version"


def change(event: Mapping[str, Any]) -> str:
    """A change event: version, state change, action, actor, what changed."""
    before, after = event.get("from_state"), event.get("to_state")
    parts = [f"v{event.get('version')}", str(after) if before in (None, after) else f"{before} -> {after}"]
    if event.get("action"):
        parts.append(str(event["action"]))
    parts.append(f"by {event.get('actor')}")
    if event.get("replicated_from"):
        parts.append(f"replicated from {event['replicated_from']}")
    if event.get("reason"):
        parts.append(f"reason {_value(event['reason'])}")
    changes = event.get("changes")
    if isinstance(changes, Mapping) and before is not None:
        parts.append(_changes(changes))
    return "  ".join(part for part in parts if part)


def acceptance(result: Mapping[str, Any]) -> str:
    """An acceptance: outcome, version, state, what became of siblings."""
    parts = [str(result.get("outcome")), f"v{result.get('version')}"]
    if result.get("state"):
        parts.append(str(result["state"]))
    siblings = result.get("siblings") or []
    if siblings:
        counted = {
            name: sum(one.get("outcome") == name for one in siblings) for name in ("applied", "unchanged", "refused")
        }
        parts.append("siblings: " + ", ".join(f"{count} {name}" for name, count in counted.items() if count))
    if result.get("deprecated"):
        parts.append(f"deprecated: {', '.join(result['deprecated'])}")
    return "  ".join(parts)


def refusal(result: Mapping[str, Any]) -> str:
    """A refusal: status, detail, what the service says, where it points."""
    told = f"{result.get('status')} {result.get('detail')}: {result.get('message')}"
    errors = result.get("errors") or []
    pointed = "; ".join(f"{error.get('pointer') or 'envelope'} {error.get('detail')}" for error in errors)
    return f"{told} [{pointed}]" if pointed else told


def dead_letter(headers: Mapping[str, str]) -> str:
    """Why a record is a dead letter, and where it came from."""
    place = f"{headers.get(names.DLQ_TOPIC)}/{headers.get(names.DLQ_PARTITION)}@{headers.get(names.DLQ_OFFSET)}"
    return f"{headers.get(names.DLQ_REASON)}: {headers.get(names.DLQ_DETAIL)}  (from {place})"


def printable(text: str) -> str:
    """Escapes what a terminal would obey instead of show."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def as_json(seen: Seen) -> str:
    """The whole record as one line of JSON; a value that is no JSON object comes as text."""
    return json.dumps(
        {
            "topic": seen.topic,
            "partition": seen.partition,
            "offset": seen.offset,
            "time": time_text(seen),
            "key": None if seen.key is None else seen.key.decode("utf-8", "backslashreplace"),
            "headers": dict(seen.headers),
            "value": seen.value or (None if seen.raw is None else seen.raw.decode("utf-8", "backslashreplace")),
        }
    )


def _changes(changes: Mapping[str, Any]) -> str:
    told = {name: pair for name, pair in changes.items() if name not in UNTOLD}
    shown = [f"{name}: {_value(pair[0])} -> {_value(pair[1])}" for name, pair in list(told.items())[:LONGEST_LIST]]
    left = len(told) - len(shown)
    return ", ".join((*shown, f"{left} more") if left else shown)


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
