"""Reads the CloudEvents 1.0 envelope of a record, in binary or structured mode."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

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
CE_TRACEPARENT = f"ce_{names.TRACEPARENT}"
TRACE_CONTEXT = frozenset({CE_TRACEPARENT, "ce_tracestate"})
REQUIRED = (names.CE_ID, names.CE_SOURCE, names.CE_TYPE)
DATA_CONTENT_TYPE = "ce_datacontenttype"
STRUCTURED = "application/cloudevents+json"
PLAIN = (None, "application/json")
_SURROGATES = re.compile("[\ud800-\udfff]")


def open_envelope(record: Record, headers: Headers, reply_topics: frozenset[str]) -> tuple[Envelope, Any] | DeadLetter:
    """Gives the envelope and the data in it; without id, source or type, or without JSON, the record is no command."""
    value = record.value or b""
    content_type = headers.values.get(names.CONTENT_TYPE)
    structured = content_type not in PLAIN and content_type.partition(";")[0].strip().lower() == STRUCTURED
    # Attributes are named as headers name them, so that these need no copy.
    attributes: Mapping[str, Any] = headers.values
    try:
        content = parse_json(value)
    except NotJson as error:
        if not structured and (missing := _missing(headers.values)):
            return DeadLetter(record, "missing_attribute", f"no {missing}")
        return DeadLetter(record, "invalid_json", f"the value is not JSON: {error}"[:MAX_ATTRIBUTE])
    if not structured:
        data, faults = content, _binary_faults(headers.values, content_type)
    else:
        if not isinstance(content, dict):
            return DeadLetter(record, "not_an_object", "the CloudEvents envelope is not a JSON object")
        attributes = {f"ce_{name}": item for name, item in content.items() if name not in ("data", "data_base64")}
        faults = _faults(attributes)
        attributes = {**attributes, names.CONTENT_TYPE: attributes.get(DATA_CONTENT_TYPE)}
        try:
            data = _structured_data(content)
        except NotJson as error:
            return DeadLetter(record, "invalid_json", f"data_base64 is not JSON: {error}"[:MAX_ATTRIBUTE])
    if missing := _missing(attributes) or (_unwritable(attributes) if structured else None):
        return DeadLetter(record, "missing_attribute", f"no {missing}")
    return _envelope(attributes, headers, faults, reply_topics), data


def _structured_data(content: dict[str, Any]) -> Any:
    """Gives the data, which are a member of the envelope or bytes in it."""
    if "data_base64" not in content:
        return content.get("data")
    try:
        return parse_json(base64.b64decode(content["data_base64"], validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise NotJson(str(error)) from error


def _missing(attributes: Mapping[str, Any]) -> str | None:
    for name in REQUIRED:
        if not attributes.get(name):
            return name
    return None


def _unwritable(attributes: Mapping[str, Any]) -> str | None:
    """Gives what an answer could not name: what is no text, or one with lone surrogates, which no header can hold."""
    for name in REQUIRED:
        if not isinstance(attributes[name], str) or _SURROGATES.search(attributes[name]):
            return name
    return None


def _binary_faults(values: Mapping[str, str], content_type: str | None) -> list[Fault]:
    together = "".join(values.values())
    if len(together) <= MAX_ATTRIBUTE and together.isprintable():
        return []
    attributes = {name: value for name, value in values.items() if name.startswith("ce_")}
    return _faults({**attributes, DATA_CONTENT_TYPE: content_type})


def _faults(attributes: Mapping[str, Any]) -> list[Fault]:
    return [
        Fault("", f"ce_{shown(name[3:], MAX_NAME)}: {detail}")
        for name, value in attributes.items()
        if value is not None and name not in TRACE_CONTEXT and (detail := _attribute_fault(value))
    ]


def _envelope(
    attributes: Mapping[str, Any], headers: Headers, of_attributes: Iterable[Fault], reply_topics: frozenset[str]
) -> Envelope:
    faults = [*headers.faults, *of_attributes]
    if attributes.get(names.CE_SPECVERSION) != names.SPECVERSION:
        faults.append(Fault("", "ce_specversion: expected 1.0"))
    if (content_type := attributes.get(names.CONTENT_TYPE)) not in PLAIN and not _is_json(content_type):
        faults.append(Fault("", "content-type: expected application/json"))
    reply_to = _text(attributes, names.CE_REPLYTO) if names.CE_REPLYTO in attributes else None
    if reply_to is not None and reply_to not in reply_topics:
        faults.append(Fault("", f"ce_replyto: expected one of {', '.join(sorted(reply_topics))}"))
        reply_to = None
    if names.CE_TIME in attributes:
        _time(attributes, names.CE_TIME, faults)
    expires_at = _time(attributes, names.CE_EXPIRYTIME, faults) if names.CE_EXPIRYTIME in attributes else None
    traceparent = headers.values.get(names.TRACEPARENT)
    if traceparent is None and attributes is not headers.values:
        traceparent = _text(attributes, CE_TRACEPARENT)
    command_id, source = attributes[names.CE_ID], attributes[names.CE_SOURCE]
    return Envelope(
        # Only a fault makes these shorter or other than they were sent.
        shown(command_id, MAX_ATTRIBUTE) if faults else command_id,
        shown(source, MAX_ATTRIBUTE) if faults else source,
        attributes[names.CE_TYPE],
        _text(attributes, names.CE_CORRELATIONID) if names.CE_CORRELATIONID in attributes else None,
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


def _text(attributes: Mapping[str, Any], name: str) -> str | None:
    """A text attribute that is sound; an empty one counts as absent."""
    value = attributes.get(name)
    return value if isinstance(value, str) and value and _attribute_fault(value) is None else None


def _time(attributes: Mapping[str, Any], name: str, faults: list[Fault]) -> datetime | None:
    value = attributes.get(name)
    if value is None:
        return None
    try:
        # A longer one is a fault already; it must not be kept in the cache of instants either.
        return instant(canonical_instant(value)) if _attribute_fault(value) is None else None
    except (ValueError, TypeError):
        faults.append(Fault("", f"{name}: expected an RFC 3339 time with an offset"))
        return None


def _is_json(content_type: Any) -> bool:
    media_type = str(content_type).partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")
