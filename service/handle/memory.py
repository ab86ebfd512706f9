"""What the service remembers of a decided command, and how it answers the same command again."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from schemas.headers import COMMAND_RESULTS
from service.compact_json import compact_json
from service.outbox.result import Outcome, acceptance_body, result_row
from service.outbox.row import Row
from service.received import Received


class Memory(NamedTuple):
    """What was said under an id (its content hash), and the outcome as the inbox holds it."""

    content_hash: bytes
    outcome: bytes


def remember_refusal(received: Received, body: bytes) -> Memory:
    """Keeps a refusal as it was published."""
    kept = {"refused": body.decode(), "correlation": received.envelope.correlation_id}
    return Memory(received.content_hash, compact_json(kept))


def remember_acceptance(received: Received, outcome: Outcome) -> Memory:
    """Keeps the outcome that an acceptance is made from, and where it was published, if it was."""
    kept: dict[str, Any] = {"accepted": outcome}
    if received.envelope.reply_to is not None:
        kept["topic"] = received.envelope.reply_to
    if received.envelope.correlation_id is not None:
        kept["correlation"] = received.envelope.correlation_id
    return Memory(received.content_hash, compact_json(kept))


def answer_again(received: Received, memory: Memory) -> Row | None:
    """Gives the first result again where one was published, or where the repeat asks for it."""
    kept: Mapping[str, Any] = orjson.loads(memory.outcome)
    correlation = kept.get("correlation") or received.envelope.id
    if "refused" in kept:
        return result_row(
            received, kept["refused"].encode(), accepted=False, correlation=correlation, topic=COMMAND_RESULTS
        )
    topic = kept.get("topic") or received.envelope.reply_to
    if topic is None:
        return None
    body = acceptance_body(received, kept["accepted"])
    return result_row(received, body, accepted=True, correlation=correlation, topic=topic)
