"""Lines of commands as `send` reads them: one JSON object each."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Never

from pydantic import ValidationError

from schemas import headers as names
from schemas.commands import COMMANDS
from schemas.errors import problems

DEFAULT_SOURCE: Final = "urn:bookstream:send"
TOPICS: Final = (names.BOOKING_COMMANDS, names.VISIT_COMMANDS, names.INTERNAL_COMMANDS)
ID_MEMBERS: Final = ("booking_id", "visit_id", "location_id")
OF_RAW: Final = frozenset(("raw", "topic", "key", "headers", "expect"))
OF_COMMAND: Final = (OF_RAW - {"raw"}) | frozenset(
    ("type", "id", "source", "internal", "reply", "correlation_id", "expires_at", "traceparent", "data")
)
TEXTS: Final = ("type", "source", "correlation_id", "expires_at", "traceparent", "topic", "say", "expect")
FLAGS: Final = ("internal", "reply")


class LineError(ValueError):
    """A line that nothing can be sent for; the text says why."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A line to be read by people; everything before it is answered before anything after it is sent."""

    text: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send; `id` is None for what is no command, `topic` the logical name."""

    number: int
    type: str
    id: str | None
    source: str
    topic: str
    aggregate_id: str
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    data: Mapping[str, Any]
    reply: bool
    warnings: tuple[str, ...] = ()
    expect: str | None = None

    @property
    def internal(self) -> bool:
        """Whether it goes to the internal channel."""
        return self.topic == names.INTERNAL_COMMANDS


def read_line(text: str, number: int, *, source: str = DEFAULT_SOURCE, reply: bool = True) -> Outgoing | Remark:
    """Reads one line; `source` and `reply` stand where it says nothing. Raises LineError."""
    try:
        text.encode()
        line = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise LineError(f"no JSON: {error}") from error
    if not isinstance(line, dict):
        raise LineError("no JSON object")
    wrong = [name for name in TEXTS if name in line and not isinstance(line[name], str)]
    wrong += [name for name in FLAGS if name in line and not isinstance(line[name], bool)]
    if wrong:
        raise LineError(f"{wrong[0]}: must be {'true or false' if wrong[0] in FLAGS else 'a text'}")
    if "say" in line:
        _closed(line, frozenset(("say",)))
        return Remark(line["say"])
    if "raw" in line:
        _closed(line, OF_RAW)
        return _raw(line, number)
    if "type" not in line or "data" not in line:
        raise LineError('a command has the members "type" and "data", any other record "raw" and "topic"')
    _closed(line, OF_COMMAND)
    return _command(line, number, source, reply)


def _command(line: Mapping[str, Any], number: int, source: str, reply: bool) -> Outgoing:
    kind, data = line["type"], line["data"]
    members = data if isinstance(data, dict) else {}
    given = line.get("id")
    command_id = str(uuid.uuid4()) if given is None else str(given)
    attributes = {
        names.CE_SPECVERSION: names.SPECVERSION,
        names.CE_ID: command_id,
        names.CE_SOURCE: line.get("source", source),
        names.CE_TYPE: kind,
        names.CE_CORRELATIONID: line.get("correlation_id"),
        names.CE_EXPIRYTIME: line.get("expires_at"),
        names.CE_REPLYTO: names.COMMAND_RESULTS if line.get("reply", reply) else None,
        names.TRACEPARENT: line.get("traceparent"),
        names.CONTENT_TYPE: names.JSON,
        **_headers(line),
    }
    aggregate_id = next((str(members[name]) for name in ID_MEMBERS if members.get(name) is not None), "")
    return Outgoing(
        number=number,
        type=kind,
        id=command_id,
        source=line.get("source", source),
        topic=_topic(line, kind, members),
        aggregate_id=aggregate_id,
        key=_key(line, aggregate_id),
        headers=tuple((name, _bytes(value)) for name, value in attributes.items() if value is not None),
        value=json.dumps(data).encode(),
        data=members,
        reply=attributes[names.CE_REPLYTO] is not None,
        warnings=_warnings(kind, data),
        expect=line.get("expect"),
    )


def _raw(line: Mapping[str, Any], number: int) -> Outgoing:
    raw = line["raw"]
    if not isinstance(raw, str):
        raise LineError("raw: must be a text")
    return Outgoing(
        number=number,
        type="raw",
        id=None,
        source="",
        topic=_topic(line, "raw", {}),
        aggregate_id=str(line.get("key") or ""),
        key=_key(line, ""),
        headers=tuple((name, _bytes(value)) for name, value in _headers(line).items() if value is not None),
        value=_bytes(raw),
        data={},
        reply=True,
        expect=line.get("expect"),
    )


def _topic(line: Mapping[str, Any], kind: str, data: Mapping[str, Any]) -> str:
    """Gives the topic that the line names, else the one where such a command belongs."""
    given = line.get("topic")
    if given is not None:
        if given not in TOPICS:
            raise LineError(f"topic: must be one of {', '.join(TOPICS)} (without the prefix)")
        return str(given)
    if kind == "raw":
        raise LineError("topic: a raw record needs one")
    if line.get("internal") or kind in (names.CONFIGURE_LOCATION, names.ERASE_PERSON):
        return names.INTERNAL_COMMANDS
    of_visit = kind in (names.CREATE_VISIT, names.UPDATE_VISIT) or (
        data.get("visit_id") is not None and data.get("booking_id") is None
    )
    return names.VISIT_COMMANDS if of_visit else names.BOOKING_COMMANDS


def _key(line: Mapping[str, Any], aggregate_id: str) -> bytes | None:
    key = line.get("key", aggregate_id or None)
    return None if key is None else _bytes(str(key))


def _headers(line: Mapping[str, Any]) -> dict[str, str | None]:
    """Gives the line's own headers, which go before those that follow from it; null leaves one out."""
    headers = line.get("headers", {})
    if not isinstance(headers, dict) or not all(value is None or isinstance(value, str) for value in headers.values()):
        raise LineError("headers: must be an object of texts and nulls")
    return headers


def _warnings(kind: str, data: object) -> tuple[str, ...]:
    """Tells what the service will object to; it decides, not we."""
    model = COMMANDS.get(kind)
    if model is None:
        return (f"no command is called {kind} (there are {', '.join(COMMANDS)})",)
    try:
        model.model_validate(data)
    except ValidationError as error:
        return tuple(f"{pointer or 'data'} {detail}" for pointer, detail in problems(error, kind)[1])
    return ()


def _closed(line: Mapping[str, Any], members: frozenset[str]) -> None:
    unknown = sorted(line.keys() - members)
    if unknown:
        raise LineError(f"{unknown[0]}: is no member of such a line (there are {', '.join(sorted(members))})")


def _bytes(text: str) -> bytes:
    # A lone surrogate is no text, and whoever writes one means to send the bytes that stand for it.
    return text.encode("utf-8", "surrogatepass")


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON value")
