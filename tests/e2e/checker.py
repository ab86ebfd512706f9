"""Whether what lies on the topics is what the model expects: once, in order, gapless, byte for byte, nothing else."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.model import Applied, Expected, Identity, Refused, Unchanged

EVENTS = ("booking-events", "visit-events")
RESULTS = "command-results"
DEAD_LETTERS = "commands-dlq"
MOST_TOLD = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as it lies on an output topic (its logical name)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None

    def header(self, name: str) -> str:
        """Text of a header, empty where it is missing."""
        return next((value.decode() for found, value in self.headers if found == name and value is not None), "")

    @property
    def body(self) -> dict[str, Any]:
        """The value as JSON."""
        body: dict[str, Any] = json.loads(self.value or b"null")
        return body


def check(expected: Expected, seen: Sequence[Seen]) -> list[str]:
    """Lists what is wrong, each with the promise that it breaks; nothing when all holds."""
    ordered = sorted(seen, key=lambda record: (record.topic, record.partition, record.offset))
    wrong = [f"dead letter: {record.header('dlq_reason')}" for record in ordered if record.topic == DEAD_LETTERS]
    wrong += _repeats(ordered)
    wrong += _events(expected, [record for record in ordered if record.topic in EVENTS])
    wrong += _results(expected, [record for record in ordered if record.topic == RESULTS])
    return wrong


def _repeats(seen: Iterable[Seen]) -> list[str]:
    """A ce_id stands for one content, wherever and however often it comes."""
    first: dict[str, Seen] = {}
    wrong = []
    for record in seen:
        if record.topic == DEAD_LETTERS:
            continue
        earlier = first.setdefault(record.header("ce_id"), record)
        if (earlier.topic, earlier.partition, earlier.key, earlier.headers, earlier.value) != (
            record.topic,
            record.partition,
            record.key,
            record.headers,
            record.value,
        ):
            wrong.append(f"different bytes for one ce_id: {record.header('ce_id')}")
    return wrong


def _events(expected: Expected, seen: Sequence[Seen]) -> list[str]:
    wrong: list[str] = []
    last: dict[Identity, str] = {}
    versions: dict[Identity, int] = {}
    of_command: dict[str, str] = {}
    known: set[str] = set()
    for record in seen:
        body, kind = record.body, "booking" if record.topic == EVENTS[0] else "visit"
        identity: Identity = ("booking", body["booking_id"]) if kind == "booking" else ("visit", body["visit_id"])
        name = f"{identity[1]} version {body['version']}"
        sequence, event_id, command_id = record.header("ce_sequence"), record.header("ce_id"), body["command_id"]
        # What a consumer does: drop what is not greater than the last seen.
        if sequence <= last.get(identity, ""):
            if event_id not in known:
                wrong.append(f"out of order: {name} comes after {versions[identity]} for the first time")
            continue
        if body["version"] != versions.get(identity, 0) + 1:
            wrong.append(f"gap: {name} follows {versions.get(identity, 0)}")
        known.add(event_id)
        last[identity], versions[identity] = sequence, body["version"]
        if of_command.setdefault(command_id, event_id) != event_id:
            wrong.append(f"two effects: command {command_id} has another event, {name}")
        wrong += _event(expected, identity, record, body)
    applied = {command: outcome for command, outcome in expected.outcomes.items() if isinstance(outcome, Applied)}
    wrong += [
        f"lost: no event of command {command}, {outcome.identity[1]} version {outcome.version}"
        for command, outcome in applied.items()
        if command not in of_command
    ]
    return wrong


def _event(expected: Expected, identity: Identity, record: Seen, body: Mapping[str, Any]) -> list[str]:
    name = f"{identity[1]} version {body['version']}"
    outcome = expected.outcomes.get(body["command_id"])
    if not isinstance(outcome, Applied):
        return [f"an event that nobody caused: {name} of {body['command_id']}, expected {outcome}"]
    wrong = []
    if (outcome.identity, outcome.version) != (identity, body["version"]):
        wrong.append(f"wrong version: {name} of {body['command_id']}, expected {outcome.version}")
    snapshot = {member: body[identity[0]].get(member) for member in outcome.snapshot}
    if snapshot != dict(outcome.snapshot):
        wrong.append(f"wrong state: {name} is {snapshot}, expected {dict(outcome.snapshot)}")
    named = (body["account_id"], record.key, record.header("ce_sequence"), record.header("ce_causationid"))
    if named != (expected.account, identity[1].encode(), f"{body['version']:020}", body["command_id"]):
        wrong.append(f"wrong headers: {name} has {named}")
    return wrong


def _results(expected: Expected, seen: Iterable[Seen]) -> list[str]:
    wrong = []
    counts: dict[str, int] = {}
    for record in seen:
        body, kind = record.body, record.header("ce_type")
        command_id = body["command_id"]
        counts[command_id] = counts.get(command_id, 0) + 1
        match expected.outcomes.get(command_id):
            case Refused(detail):
                right = kind == "command-refused" and body["detail"] == detail
            case Applied(_, version):
                right = kind == "command-accepted" and (body["outcome"], body["version"]) == ("applied", version)
            case Unchanged():
                right = kind == "command-accepted" and body["outcome"] == "unchanged"
            case None:
                right = False
        if not right:
            told = body.get("detail") or body.get("outcome")
            wrong.append(f"wrong result: {kind} {told} for {command_id}, expected {expected.outcomes.get(command_id)}")
        if command_id not in expected.results:
            wrong.append(f"a result that nobody asked for: {kind} for {command_id}")
    wrong += [
        f"lost: {counts.get(command_id, 0)} results for {command_id}, expected at least {least}"
        for command_id, least in expected.results.items()
        if counts.get(command_id, 0) < least
    ]
    return wrong


def told(wrong: Sequence[str]) -> str:
    """The violations as text, the first of many."""
    more = [f"... and {len(wrong) - MOST_TOLD} more"] if len(wrong) > MOST_TOLD else []
    return "\n".join([*wrong[:MOST_TOLD], *more])
