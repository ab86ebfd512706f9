"""The AsyncAPI 3.0 document: every topic, key, header and message, and where answers come."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from schemas import headers as names
from schemas.generate import MESSAGES, schema_of

FILE_NAME: Final = "asyncapi.json"
_BOOKING_COMMANDS: Final = (names.CREATE_BOOKING, names.UPDATE_BOOKING, names.STATE_ACTION)
_VISIT_COMMANDS: Final = (names.CREATE_VISIT, names.UPDATE_VISIT, names.STATE_ACTION)
_INTERNAL_COMMANDS: Final = (names.CONFIGURE_LOCATION, names.ERASE_PERSON)
_ALL_COMMANDS: Final = tuple(dict.fromkeys((*_BOOKING_COMMANDS, *_VISIT_COMMANDS, *_INTERNAL_COMMANDS)))
_RESULTS: Final = (names.COMMAND_REFUSED, names.COMMAND_ACCEPTED)
_DEAD_LETTER: Final = "dead-letter"

MESSAGES_OF: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        names.BOOKING_COMMANDS: _BOOKING_COMMANDS,
        names.VISIT_COMMANDS: _VISIT_COMMANDS,
        names.INTERNAL_COMMANDS: _ALL_COMMANDS,
        names.COMMANDS_REPLAY: (_DEAD_LETTER,),
        names.BOOKING_EVENTS: (names.BOOKING_CHANGED, names.BOOKING_SNAPSHOT),
        names.VISIT_EVENTS: (names.VISIT_CHANGED, names.VISIT_SNAPSHOT),
        names.COMMAND_RESULTS: _RESULTS,
        names.COMMANDS_DLQ: (_DEAD_LETTER,),
    }
)
RECEIVED: Final = (names.BOOKING_COMMANDS, names.VISIT_COMMANDS, names.INTERNAL_COMMANDS)
SENT: Final = (names.BOOKING_EVENTS, names.VISIT_EVENTS, names.COMMAND_RESULTS, names.COMMANDS_DLQ)

_TEXT: Final = {"type": "string", "maxLength": 500}
_TIME: Final = {"type": "string", "format": "date-time"}
_ENVELOPE: Final = {
    names.CE_SPECVERSION: {"type": "string", "const": names.SPECVERSION},
    names.CE_ID: {**_TEXT, "minLength": 1},
    names.CE_SOURCE: {**_TEXT, "minLength": 1, "format": "uri-reference"},
    names.CE_CORRELATIONID: _TEXT,
    names.TRACEPARENT: {"type": "string"},
}
_OF_COMMANDS: Final = {names.CE_TIME: _TIME, names.CE_EXPIRYTIME: _TIME, names.CE_REPLYTO: _TEXT}
_OF_ANSWERS: Final = {
    names.CE_SUBJECT: {"type": "string"},
    names.CE_CAUSATIONID: _TEXT,
    names.CE_DATASCHEMA: {"type": "string", "format": "uri"},
}
_OF_EVENTS: Final = {names.CE_TIME: _TIME, names.CE_SEQUENCE: {"type": "string", "pattern": "^[0-9]{20}$"}}
_OF_DEAD_LETTERS: Final = (
    names.DLQ_REASON,
    names.DLQ_DETAIL,
    names.DLQ_TOPIC,
    names.DLQ_PARTITION,
    names.DLQ_OFFSET,
    names.DLQ_FAILED_AT,
    names.DLQ_ATTEMPTS,
    names.DLQ_APPENDED_AT,
)
_OF_SOME_DEAD_LETTERS: Final = (names.DLQ_CLIENT, names.DLQ_LAST_OFFSET)


def asyncapi() -> dict[str, Any]:
    """Builds the document."""
    schemas: dict[str, Any] = {}
    messages = {name: _message(name, schemas) for name in MESSAGES}
    messages[_DEAD_LETTER] = _dead_letter()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "bookstream",
            "version": f"{names.SCHEMA_VERSION}.0.0",
            "description": "Commands on bookings and visits in, events out. CloudEvents 1.0, Kafka binding.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": names.JSON,
        "channels": {topic.name: _channel(topic) for topic in names.TOPICS},
        "operations": {
            **{f"receive-{topic}": _receive(topic) for topic in RECEIVED},
            **{f"send-{topic}": _send(topic) for topic in SENT},
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def asyncapi_text() -> str:
    """Writes the document as JSON."""
    return json.dumps(asyncapi(), indent=2) + "\n"


def _channel(topic: names.Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "title": topic.holds,
        "description": f"Key: {topic.key}. Written by: {topic.writers}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES_OF[topic.name]},
        "bindings": {"kafka": {"topic": topic.name, "bindingVersion": "0.5.0"}},
    }


def _receive(topic: str) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{topic}"},
        "messages": _messages_of(topic),
        "reply": {
            "channel": {"$ref": f"#/channels/{names.COMMAND_RESULTS}"},
            "messages": _messages_of(names.COMMAND_RESULTS),
        },
    }


def _send(topic: str) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic}"}, "messages": _messages_of(topic)}


def _messages_of(topic: str) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in MESSAGES_OF[topic]]


def _message(name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    model = MESSAGES[name]
    schemas.update(_flattened(name))
    is_command, is_result = name in _ALL_COMMANDS, name in _RESULTS
    extra = _OF_COMMANDS if is_command else _OF_ANSWERS if is_result else {**_OF_ANSWERS, **_OF_EVENTS}
    content_type = names.PROBLEM_JSON if name == names.COMMAND_REFUSED else names.JSON
    headers = {
        **_ENVELOPE,
        names.CE_TYPE: {"type": "string", "const": name},
        **extra,
        names.CONTENT_TYPE: {"type": "string", "const": content_type},
    }
    optional = {names.CE_CORRELATIONID, names.TRACEPARENT, names.CONTENT_TYPE} if is_command else {names.TRACEPARENT}
    optional |= set(_OF_COMMANDS) if is_command else set()
    return {
        "name": name,
        "title": name,
        "summary": (model.__doc__ or name).strip().splitlines()[0],
        "contentType": content_type,
        "headers": {"type": "object", "properties": headers, "required": [h for h in headers if h not in optional]},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "correlationId": {"location": f"$message.header#/{names.CE_CORRELATIONID}"},
        "bindings": {"kafka": {"key": {"type": "string", "maxLength": 64}, "bindingVersion": "0.5.0"}},
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "name": _DEAD_LETTER,
        "title": "a record that is no command, untouched",
        "headers": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in (*_OF_DEAD_LETTERS, *_OF_SOME_DEAD_LETTERS)},
            "required": list(_OF_DEAD_LETTERS),
        },
        "payload": {},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _flattened(name: str) -> dict[str, Any]:
    """Moves the definitions inside a schema beside it, since references in the document start at its root."""
    schema = schema_of(name)
    definitions = schema.pop("$defs", {})
    del schema["$schema"], schema["$id"]
    flat = {name: schema, **{f"{name}.{key}": part for key, part in definitions.items()}}
    return {key: _relink(part, name) for key, part in flat.items()}


def _relink(node: Any, name: str) -> Any:
    if isinstance(node, dict):
        return {
            key: f"#/components/schemas/{name}.{item.removeprefix('#/$defs/')}"
            if key == "$ref"
            else _relink(item, name)
            for key, item in node.items()
        }
    return [_relink(item, name) for item in node] if isinstance(node, list) else node
