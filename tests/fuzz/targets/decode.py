"""A whole record, in either mode, on any channel, sent again or not: a command, a refusal or a dead letter."""

import json
from collections.abc import Sequence
from typing import Final

from schemas import headers as names
from service.decode.record import decode
from service.decode.replay import as_at_first
from service.domain.actor import Actor
from service.domain.model import Refused
from service.outbox.dead_letter import dead_letter_row
from service.outbox.result import refusal_body
from service.received import DeadLetter, Question, Received
from service.record import Record
from tests.fuzz.frame import examples, read, records, write
from tests.support.records import APPENDED, REPLY_TOPICS, SOURCE
from tests.support.signing import structured

MOST_ANSWERED: Final = 400_000
MOST_ADDED: Final = 4_000
FAILED_AT: Final = "2026-12-01T09:00:00Z"


def target(data: bytes) -> None:
    """Decodes and answers as the handler would."""
    judge(decoded(read(data)))


def decoded(made: Record) -> Received | DeadLetter:
    """What becomes of a record, dead letters that were sent again taken as at first."""
    first = as_at_first(made)
    return first if isinstance(first, DeadLetter) else decode(first, REPLY_TOPICS)


def judge(found: Received | DeadLetter) -> None:
    """Looks at what came out: nobody is raised, and what is answered is small and can be written."""
    if isinstance(found, DeadLetter):
        row = dead_letter_row(found, FAILED_AT)
        given = sum(len(name) * 4 + len(value or b"") + 4 for name, value in found.record.headers)
        assert len(row.headers) <= 8 * given + MOST_ADDED, len(row.headers)
        assert row.value is None or row.value == found.record.value
        return
    assert len(found.command_key) == len(found.content_hash) == 16
    if isinstance(found.body, Refused):
        answer = refusal_body(found, found.body, None, None)
        assert len(answer) <= MOST_ANSWERED, len(answer)
        assert not set(answer) & set(range(0x20)), answer
        assert all(len(fault.pointer) <= 500 and len(fault.detail) <= 2000 for fault in found.body.faults)
        return
    assert isinstance(found.body, Question)
    assert found.body.context.actor is _actor(found)


def _actor(found: Received) -> Actor:
    if found.record.topic != names.INTERNAL_COMMANDS:
        return Actor.EXTERNAL
    return Actor.SYSTEM if found.envelope.source.startswith("/bookstream") else Actor.INTERNAL


def seeds() -> Sequence[bytes]:
    """Every example in binary mode, the first ones in structured mode too, and one of each channel sent again."""
    sound = list(records())
    whole = [structured(kind, data) for kind, data in list(examples())[:12]]
    encoded = {"specversion": "1.0", "id": "c", "source": SOURCE, "type": "update-booking", "data_base64": "e30="}
    whole.append(whole[0]._replace(value=json.dumps(encoded).encode()))
    return [write(each) for each in (*sound, *whole, *map(_again, sound[:8]))]


def _again(made: Record) -> Record:
    added = {
        names.DLQ_TOPIC: made.topic,
        names.DLQ_PARTITION: "3",
        names.DLQ_OFFSET: "41",
        names.DLQ_ATTEMPTS: "1",
        names.DLQ_APPENDED_AT: APPENDED.isoformat(),
        names.DLQ_CLIENT: "",
    }
    pairs = [(name, text.encode()) for name, text in added.items()]
    return made._replace(topic=names.COMMANDS_REPLAY, headers=(*made.headers, *pairs))
