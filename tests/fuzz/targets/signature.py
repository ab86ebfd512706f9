"""Signed records, mutated: what is taken for a client's is what it signed, and lately."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from schemas.signing import is_structured
from service.decode.record import decode
from service.decode.signature import MAX_AGE_MS
from service.domain.actor import Actor
from service.received import Question, Received
from service.record import Record
from tests.fuzz.frame import examples, read, records, write
from tests.fuzz.targets.decode import judge
from tests.support.records import REPLY_TOPICS
from tests.support.signing import Known, signed, structured

COVERED: Final = ("content-type", "bookstream-client", "webhook-timestamp")
COVERED_STRUCTURED: Final = ("bookstream-client", "webhook-timestamp", "webhook-id")
Said = tuple[object, ...]


def target(data: bytes) -> None:
    """Decodes with clients; whoever is verified signed exactly this."""
    made = read(data)
    if made.topic == "commands-replay":
        return
    found = decode(made, REPLY_TOPICS, clients=Known())
    if isinstance(found, Received) and made.topic != "internal-commands":
        if found.client is not None:
            signed_at = _originals().get(said(made))
            assert signed_at is not None, "verified, but signed by nobody"
            assert abs(made.timestamp - signed_at) <= MAX_AGE_MS, "verified, but stale"
        elif isinstance(found.body, Question):
            raise AssertionError("taken without a signature")
        assert not isinstance(found.body, Question) or found.body.context.actor is Actor.EXTERNAL
    judge(found)


def said(made: Record) -> Said:
    """All that a signature covers, as another reader of the record sees it."""
    values: dict[str, list[bytes]] = {}
    for name, value in made.headers:
        if value is not None:
            values.setdefault(name.lower(), []).append(value)
    if is_structured({name: found[0].decode() for name, found in values.items()}):
        told = tuple((name, tuple(values.get(name, ()))) for name in COVERED_STRUCTURED)
        return ("structured", told, made.value)
    covered = sorted(
        (name, tuple(found)) for name, found in values.items() if name.startswith("ce_") or name in COVERED
    )
    return ("binary", tuple(covered), made.topic, made.key or b"", made.value or b"")


@cache
def _signed() -> tuple[Record, ...]:
    kinds = [(kind, data) for kind, data in examples() if "visit_id" not in data and "booking_id" in data]
    return tuple(
        [signed(made) for made in records() if made.topic != "internal-commands"]
        + [signed(structured(kind, data)) for kind, data in kinds[:10]]
    )


@cache
def _originals() -> dict[Said, int]:
    return {said(made): made.timestamp // 1000 * 1000 for made in _signed()}


def seeds() -> Sequence[bytes]:
    """Every example of a command from outside, signed."""
    return [write(made) for made in _signed()]
