"""What lies on the topics, boiled down to what can be judged; nothing here knows how the service works."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from tests.e2e.checker import DEAD_LETTERS, EVENTS, RESULTS
from tests.e2e.model import COUNT, TEXT, Command, Identity

INTERNAL = "internal-commands"
COMMANDS = ("booking-commands", "visit-commands", INTERNAL)
SERVICE = "/bookstream"
STRANGER = ""
_TYPES = frozenset({"create-visit", "update-visit", "create-booking", "update-booking", "state-action"})
_SETTING_UP = "configure-location"
# Faults set clocks wrong by a day: nearer to its expiry a command may be decided either way.
_NEAR_SECONDS = 90_000.0

Expiry = Literal["never", "near", "past"]

Lane = tuple[str, int]
CommandKey = tuple[str, str]


class Record(Protocol):
    """What a consumer gives."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it lies on its topic; `system` is one that a timer of the service sent.

    `expiry` says how it stood when it was appended.
    """

    account: str
    command: Command
    lane: Lane
    offset: int
    system: bool
    expiry: Expiry = "never"
    signed: bool = False

    @property
    def key(self) -> CommandKey:
        """What the answers to it name."""
        return self.account, self.command.id


@dataclass(frozen=True, slots=True)
class Stray:
    """A record on a command topic that is no command."""

    lane: Lane
    offset: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class SetUp:
    """A command that makes a location."""

    lane: Lane
    offset: int


@dataclass(frozen=True, slots=True)
class Event:
    """A change event; `snapshot` holds the members that the model knows, `state` all, `links` tokens by action."""

    lane: Lane
    offset: int
    account: str
    identity: Identity
    version: int
    sequence: str
    id: str
    command: CommandKey
    snapshot: Mapping[str, Any]
    state: Mapping[str, Any]
    replicated_from: str | None
    keyed: bool
    timestamp: int
    digest: bytes
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """A refusal (its detail) or an acceptance (outcome, version, what became of siblings).

    One that names no account has STRANGER for it.
    """

    id: str
    command: CommandKey
    said: "Said"
    timestamp: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """The part of a result that the model predicts."""

    refused: str | None = None
    outcome: str | None = None
    version: int | None = None
    siblings: frozenset[tuple[str, str, Any]] = frozenset()


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, and where its record came from."""

    reason: str
    lane: Lane
    offset: int
    digest: bytes
    original: bytes


Evidence = Asked | Stray | SetUp | Event | Result | Letter


def boil_down(topic: str, record: Record) -> Evidence:
    """Gives what a record of a topic (its name without the prefix) is evidence of."""
    if topic in COMMANDS:
        return _command((topic, record.partition), record)
    if topic in EVENTS:
        return _event((topic, record.partition), record)
    if topic == RESULTS:
        return _result(record)
    if topic == DEAD_LETTERS:
        return _letter(record)
    raise ValueError(f"nothing is known of topic {topic}")


def _command(lane: Lane, record: Record) -> Asked | Stray | SetUp:
    named = _texts(record.headers)
    data = _object(record.value)
    kind, given = named.get("ce_type"), named.get("ce_id")
    if kind == _SETTING_UP:
        return SetUp(lane, record.offset)
    if kind not in _TYPES or data is None or given is None:
        return Stray(lane, record.offset, _original(record))
    about = "visit" if "visit_id" in data else "booking"
    internal, reply = lane[0] == INTERNAL, "ce_replyto" in named
    command = (
        Command(given, kind, "visit", data["visit_id"], data, internal, reply)
        if about == "visit"
        else Command(given, kind, "booking", data["booking_id"], data, internal, reply)
    )
    system, expiry = named.get("ce_source") == SERVICE, _expiry(named, record)
    return Asked(data["account_id"], command, lane, record.offset, system, expiry, "webhook-signature" in named)


def _expiry(named: Mapping[str, str], record: Record) -> Expiry:
    given = named.get("ce_expirytime")
    left = float("inf") if given is None else datetime.fromisoformat(given).timestamp() - record.timestamp / 1000
    if left > _NEAR_SECONDS:
        return "never"
    return "past" if left < -_NEAR_SECONDS else "near"


def _event(lane: Lane, record: Record) -> Event:
    named, body = _texts(record.headers), json.loads(record.value or b"null")
    identity: Identity = ("booking", body["booking_id"]) if lane[0] == EVENTS[0] else ("visit", body["visit_id"])
    kind = identity[0]
    state = body[kind]
    account, version, sequence = body["account_id"], body["version"], named["ce_sequence"]
    keyed = (record.key, sequence, named["ce_causationid"]) == (
        identity[1].encode(),
        f"{version:020}",
        body["command_id"],
    )
    return Event(
        lane,
        record.offset,
        account,
        identity,
        version,
        sequence,
        named["ce_id"],
        (account, body["command_id"]),
        {member: state.get(member) for member in (TEXT[kind], COUNT[kind], "tags", "state")},
        state,
        body["replicated_from"],
        keyed,
        record.timestamp,
        _digest(record),
        {action: offer["token"] for action, offer in (body["links"] or {}).items()},
    )


def _result(record: Record) -> Result:
    named, body = _texts(record.headers), json.loads(record.value or b"null")
    if named["ce_type"] == "command-refused":
        said = Said(refused=body["detail"])
    else:
        siblings = frozenset(
            (one["booking_id"], one["outcome"], one.get("version", one.get("detail"))) for one in body["siblings"]
        )
        said = Said(None, body["outcome"], body["version"], siblings)
    command = (body["account_id"] or STRANGER, body["command_id"])
    return Result(named["ce_id"], command, said, record.timestamp, _digest(record))


def _letter(record: Record) -> Letter:
    named = _texts(record.headers)
    lane = (named["dlq_topic"], int(named["dlq_partition"]))
    return Letter(named["dlq_reason"], lane, int(named["dlq_offset"]), _digest(record), _original(record))


def _texts(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    return {name: (value or b"").decode("utf-8", "replace") for name, value in headers}


def _object(value: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(value or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _digest(record: Record) -> bytes:
    return _hash(record.key, record.value, record.headers)


def _original(record: Record) -> bytes:
    """Of the record as its sender wrote it, whether it lies where it came from or among the dead letters."""
    return _hash(record.key, record.value, [pair for pair in record.headers if not pair[0].startswith("dlq_")])


def _hash(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    return hashlib.blake2b(repr((key, value, [tuple(pair) for pair in headers])).encode(), digest_size=16).digest()
