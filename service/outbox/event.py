"""A change as its event: `booking-changed` or `visit-changed`, with the full state after it."""

from typing import NamedTuple

import orjson

from schemas import headers as names
from service.compact_json import compact_json
from service.domain.actor import Actor
from service.domain.graph import Graph
from service.domain.model import Changed
from service.outbox.links import Links
from service.outbox.row import Row, constant_headers, quoted, uuid5
from service.outbox.trace import own_traceparent
from service.received import Question, Received

EPOCH_FACTOR = 10**16
TYPES = {"booking": names.BOOKING_CHANGED, "visit": names.VISIT_CHANGED}
CONSTANT = {
    kind: constant_headers(
        [
            (names.CE_SPECVERSION, names.SPECVERSION),
            (names.CE_SOURCE, names.SERVICE_SOURCE),
            (names.CE_TYPE, name),
            (names.CE_DATASCHEMA, names.dataschema(name)),
            (names.CONTENT_TYPE, names.JSON),
        ]
    )
    for kind, name in TYPES.items()
}
# Ids, times and sequences hold nothing that JSON would escape; the other two are written as JSON before.
HEADERS = {
    kind: f'[{constant},["{names.CE_ID}","%s"],["{names.CE_SUBJECT}","%s"],["{names.CE_TIME}","%s"],'
    f'["{names.CE_SEQUENCE}","%s"],["{names.CE_CAUSATIONID}",%s],["{names.CE_CORRELATIONID}",%s]%s]'
    for kind, constant in CONSTANT.items()
}
TOPICS = {"booking": names.BOOKING_EVENTS, "visit": names.VISIT_EVENTS}


class Cause(NamedTuple):
    """The command that an event follows from."""

    received: Received
    question: Question
    epoch: int


def sequence(epoch: int, version: int) -> str:
    """Writes `ce_sequence`: epoch and version in 20 digits, which sort as text."""
    return f"{epoch * EPOCH_FACTOR + version:020d}"


def event_row(changed: Changed, state: bytes, cause: Cause, graph: Graph, links: Links = None) -> Row:
    """Encodes a change of a booking or visit; `state` is its snapshot as JSON, `links` what a customer is offered."""
    after, envelope, question = changed.after, cause.received.envelope, cause.question
    snapshot, kind = after.snapshot, after.kind
    to_state, options = snapshot["state"], changed.options or {}
    value = compact_json(
        {
            "account_id": after.account_id,
            f"{kind}_id": after.id,
            "version": after.version,
            kind: orjson.Fragment(state),
            "changes": changed.told,
            "action": changed.action,
            "from_state": changed.from_state,
            "to_state": to_state,
            "completed": graph.states[to_state].final,
            "available_actions": graph.available(to_state, Actor.EXTERNAL),
            "actor": question.context.actor,
            "source": envelope.source,
            "reason": question.reason,
            "options": options,
            "inputs": changed.inputs or {},
            "replicated_from": changed.replicated_from,
            "bulk_id": snapshot.get("bulk_id"),
            "command_id": envelope.id,
            "silent": options.get("silent", False),
            "links": links,
        }
    )
    return Row(TOPICS[kind], after.id.encode(), _headers(changed, cause), value)


def _headers(changed: Changed, cause: Cause) -> bytes:
    received, (kind, account_id, aggregate_id, version, snapshot, _) = cause.received, changed.after
    envelope = received.envelope
    name = f"event/{account_id}/{kind}/{aggregate_id}/{version}/".encode()
    causation = quoted(envelope.id)
    traceparent = own_traceparent(received)
    return (
        HEADERS[kind]
        % (
            uuid5(name + received.command_key),
            aggregate_id,
            snapshot["updated_at"],
            sequence(cause.epoch, version),
            causation,
            causation if envelope.correlation_id is None else quoted(envelope.correlation_id),
            "" if traceparent is None else f',["{names.TRACEPARENT}","{traceparent}"]',
        )
    ).encode()
