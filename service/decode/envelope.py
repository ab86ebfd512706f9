"""Reads the CloudEvents 1.0 envelope of a record, in binary or structured mode."""

import base64
import binascii
import re
from datetime import datetime
from typing import Any, NamedTuple

from schemas import headers as names
from schemas.types import canonical_instant
from service.decode.headers import MAX_NAME, Headers, is_control, shown
from service.decode.json_value import NotJson, parse_json
from service.domain.instants import instant
from service.domain.model import Fault
from service.received import DeadLetter, Envelope
from service.record import Record
from service.trace_context import usable_traceparent

MAX_ATTRIBUTE = 500
# Of these nothing is refused: what W3C calls invalid is ignored.
TRACE_CONTEXT = frozenset({names.TRACEPARENT, "tracestate"})
REQUIRED = ("id", "source", "type")
STRUCTURED = "application/cloudevents+json"
PLAIN = (None, "application/json")
_SURROGATES = re.compile("[\ud800-\udfff]")


class Opened(NamedTuple):
    """An envelope and the data in it."""

    envelope: Envelope
    data: Any


def open_envelope(record: Record, headers: Headers, reply_topics: frozenset[str]) -> Opened | DeadLetter:
    """Opens an envelope; without id, source or type, or without JSON in it, the record is no command."""
    value = record.value or b""
    content_type = headers.values.get("content-type")
    structured = content_type not in PLAIN and content_type.partition(";")[0].strip().lower() == STRUCTURED
    try:
        content = parse_json(value)
    except NotJson as error:
        if not structured and (missing := _missing(_binary_attributes(headers))):
            return DeadLetter(record, "missing_attribute", f"no ce_{missing}")
        return DeadLetter(record, "invalid_json", f"the value is not JSON: {error}"[:MAX_ATTRIBUTE])
    if not structured:
        attributes, data = _binary_attributes(headers), content
        attributes["datacontenttype"] = content_type
    else:
        if not isinstance(content, dict):
            return DeadLetter(record, "not_an_object", "the CloudEvents envelope is not a JSON object")
        attributes = {name: item for name, item in content.items() if name not in ("data", "data_base64")}
        try:
            data = _structured_data(content)
        except NotJson as error:
            return DeadLetter(record, "invalid_json", f"data_base64 is not JSON: {error}"[:MAX_ATTRIBUTE])
    if missing := _missing(attributes):
        return DeadLetter(record, "missing_attribute", f"no ce_{missing}")
    return Opened(_envelope(attributes, headers, reply_topics, structured=structured), data)


def _binary_attributes(headers: Headers) -> dict[str, Any]:
    return {name[3:]: value for name, value in headers.values.items() if name.startswith("ce_")}


def _structured_data(content: dict[str, Any]) -> Any:
    """Gives the data, which are a member of the envelope or bytes in it."""
    if "data_base64" not in content:
        return content.get("data")
    try:
        return parse_json(base64.b64decode(content["data_base64"], validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise NotJson(str(error)) from error


def _missing(attributes: dict[str, Any]) -> str | None:
    for name in REQUIRED:
        value = attributes.get(name)
        if not (value and type(value) is str and value.isascii()) and not _is_given(value):
            return name
    return None


def _is_given(value: Any) -> bool:
    """Whether there is a text that an answer could name; one with lone surrogates can't be written."""
    return isinstance(value, str) and value != "" and (value.isascii() or _SURROGATES.search(value) is None)


def _envelope(
    attributes: dict[str, Any], headers: Headers, reply_topics: frozenset[str], *, structured: bool
) -> Envelope:
    faults = list(headers.faults)
    for name, value in attributes.items():
        if type(value) is str and len(value) <= MAX_ATTRIBUTE and value.isprintable():
            continue
        if value is not None and name not in TRACE_CONTEXT and (detail := _attribute_fault(value)):
            faults.append(Fault("", f"ce_{shown(name, MAX_NAME)}: {detail}"))
    if attributes.get("specversion") != "1.0":
        faults.append(Fault("", "ce_specversion: expected 1.0"))
    if (content_type := attributes.get("datacontenttype")) not in PLAIN and not _is_json(content_type):
        faults.append(Fault("", "content-type: expected application/json"))
    reply_to = _text(attributes, "replyto") if "replyto" in attributes else None
    if reply_to is not None and reply_to not in reply_topics:
        faults.append(Fault("", f"ce_replyto: expected one of {', '.join(sorted(reply_topics))}"))
        reply_to = None
    if "time" in attributes:
        _time(attributes, "time", faults)
    expires_at = _time(attributes, "expirytime", faults) if "expirytime" in attributes else None
    traceparent = headers.values.get(names.TRACEPARENT)
    if traceparent is None and structured:
        traceparent = _text(attributes, names.TRACEPARENT)
    return Envelope(
        # Only a fault makes these shorter or other than they were sent.
        shown(attributes["id"], MAX_ATTRIBUTE),
        shown(attributes["source"], MAX_ATTRIBUTE),
        attributes["type"],
        _text(attributes, "correlationid") if "correlationid" in attributes else None,
        reply_to,
        expires_at,
        None if traceparent is None else usable_traceparent(traceparent),
        tuple(faults),
    )


def _attribute_fault(value: Any) -> str | None:
    if isinstance(value, bool | int):
        return None
    if not isinstance(value, str):
        return "expected a text"
    if len(value) > MAX_ATTRIBUTE:
        return f"expected at most {MAX_ATTRIBUTE} characters"
    return "expected no control characters" if not value.isprintable() and any(map(is_control, value)) else None


def _text(attributes: dict[str, Any], name: str) -> str | None:
    """A text attribute that is sound; an empty one counts as absent."""
    value = attributes.get(name)
    return value if isinstance(value, str) and value and _attribute_fault(value) is None else None


def _time(attributes: dict[str, Any], name: str, faults: list[Fault]) -> datetime | None:
    value = attributes.get(name)
    if value is None:
        return None
    try:
        # A longer one is a fault already; it must not be kept in the cache of instants either.
        return instant(canonical_instant(value)) if _attribute_fault(value) is None else None
    except (ValueError, TypeError):
        faults.append(Fault("", f"ce_{name}: expected an RFC 3339 time with an offset"))
        return None


def _is_json(content_type: Any) -> bool:
    media_type = str(content_type).partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")
