"""The answer to a command: `command-refused` as an RFC 9457 problem, or `command-accepted`.

An acceptance is a function of the command and its stored outcome, so that a repeat is answered with the same bytes
without storing them twice; a refusal is rare, and stored as it was published.
"""

from typing import Any

from schemas import headers as names
from service.compact_json import compact_json
from service.domain.actor import Actor
from service.domain.graph import Graph
from service.domain.model import Aggregate, Refused, SiblingOutcome
from service.outbox.problem import PROBLEMS, TITLES
from service.outbox.row import Row, constant_headers, encode_headers, uuid5
from service.outbox.trace import own_traceparent
from service.received import Received

Outcome = dict[str, Any]
CONSTANT = {
    kind: constant_headers(
        [
            (names.CE_SPECVERSION, names.SPECVERSION),
            (names.CE_SOURCE, names.SERVICE_SOURCE),
            (names.CE_TYPE, kind),
            (names.CE_DATASCHEMA, names.dataschema(kind)),
            (names.CONTENT_TYPE, content_type),
        ]
    )
    for kind, content_type in ((names.COMMAND_ACCEPTED, names.JSON), (names.COMMAND_REFUSED, names.PROBLEM_JSON))
}


def refusal_body(received: Received, refused: Refused, found: Aggregate | None, graph: Graph | None) -> bytes:
    """Encodes a refusal; `found` is the aggregate when the sender may see it."""
    problem = PROBLEMS[refused.reason]
    actions = (
        None if found is None else [] if graph is None else graph.available(found.snapshot["state"], Actor.EXTERNAL)
    )
    return compact_json(
        {
            "type": f"urn:bookstream:{problem.error}:{refused.reason}",
            "title": TITLES[problem.error],
            "status": problem.status,
            "error": problem.error,
            "detail": refused.reason,
            "message": problem.message,
            "retryable": problem.retryable,
            "command_id": received.envelope.id,
            "command_source": received.envelope.source,
            "account_id": received.shown_account,
            "aggregate_type": received.kind,
            "aggregate_id": received.aggregate_id,
            "current_version": None if found is None else found.version,
            "available_actions": actions,
            "errors": [{"pointer": fault.pointer, "detail": fault.detail} for fault in refused.faults],
            "retry_after": refused.retry_after,
        }
    )


def acceptance_body(received: Received, outcome: Outcome) -> bytes:
    """Encodes an acceptance from the outcome as it is stored."""
    return compact_json(
        {
            "status": 200,
            "outcome": outcome["outcome"],
            "command_id": received.envelope.id,
            "command_source": received.envelope.source,
            "account_id": received.shown_account,
            "aggregate_type": received.kind,
            "aggregate_id": received.aggregate_id,
            "version": outcome["version"],
            "state": outcome["state"],
            "completed": outcome["completed"],
            "available_actions": outcome["available_actions"],
            "deprecated": outcome.get("deprecated", []),
            "siblings": outcome.get("siblings", []),
            "preview": outcome.get("preview"),
        }
    )


def result_row(received: Received, body: bytes, *, accepted: bool, correlation: str, topic: str) -> Row:
    """Makes the row of a result; the key is the aggregate's id, so that it follows what came before."""
    envelope = received.envelope
    kind = names.COMMAND_ACCEPTED if accepted else names.COMMAND_REFUSED
    name = f"{kind}/{received.account_id}/".encode() + received.command_key + received.content_hash
    if not accepted:
        # A refusal that isn't final may be followed by another one, which must not look like its repeat.
        name += body
    pairs = [
        (names.CE_ID, uuid5(name)),
        (names.CE_SUBJECT, received.aggregate_id),
        (names.CE_CAUSATIONID, envelope.id),
        (names.CE_CORRELATIONID, correlation),
    ]
    traceparent = own_traceparent(received)
    if traceparent is not None:
        pairs.append((names.TRACEPARENT, traceparent))
    return Row(topic, received.aggregate_id.encode(), encode_headers(CONSTANT[kind], pairs), body)


def sibling_member(sibling: SiblingOutcome) -> dict[str, Any]:
    """Writes what became of a sibling."""
    if isinstance(sibling.outcome, Refused):
        problem = PROBLEMS[sibling.outcome.reason]
        return {
            "booking_id": sibling.booking_id,
            "outcome": "refused",
            "error": problem.error,
            "detail": sibling.outcome.reason,
        }
    return {"booking_id": sibling.booking_id, "outcome": sibling.outcome, "version": sibling.version}
