"""Records and spans as a test needs them: a sound command unless it says otherwise."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from service.decode.record import decode
from service.received import DeadLetter, Question, Received
from service.record import Record, Span

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REPLY_TOPICS = frozenset({"command-results"})
SOURCE = "//pos.example/oslo"
APPENDED = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
APPENDED_MS = int(APPENDED.timestamp() * 1000)
TOPICS = {"booking_id": "booking-commands", "visit_id": "visit-commands", "location_id": "internal-commands"}
MEMBERS = {
    "create-booking": "booking_id",
    "update-booking": "booking_id",
    "create-visit": "visit_id",
    "update-visit": "visit_id",
    "configure-location": "location_id",
}
TIMES = {"starts_at": "2026-12-24T18:00:00Z", "ends_at": "2026-12-24T20:00:00Z"}

Headers = Mapping[str, str | bytes | None]
_numbers = itertools.count(1)


def record(
    command_type: str,
    data: Mapping[str, Any] | bytes | None,
    command_id: str | None = None,
    *,
    topic: str | None = None,
    key: bytes | None = b"",
    timestamp: int = APPENDED_MS,
    reply: bool = False,
    headers: Iterable[tuple[str, bytes | None]] = (),
    attributes: Headers | None = None,
    **more: str | bytes | None,
) -> Record:
    """Makes the record of a command; the key and the topic follow from the data unless they are given.

    `attributes` and `more` replace headers by name, `headers` come after all others, repeated ones too.
    """
    fields = data if isinstance(data, Mapping) else {}
    member = MEMBERS.get(command_type) or ("visit_id" if "visit_id" in fields else "booking_id")
    made: dict[str, str | bytes | None] = {
        "ce_specversion": "1.0",
        "ce_id": command_id or f"c-{next(_numbers)}",
        "ce_source": SOURCE,
        "ce_type": command_type,
        "content-type": "application/json",
        **({"ce_replyto": "command-results"} if reply else {}),
        **(attributes or {}),
        **more,
    }
    pairs = [(name, text.encode() if isinstance(text, str) else text) for name, text in made.items()]
    value = json.dumps(data).encode() if isinstance(data, Mapping) else data
    found = str(fields.get(member, "b-1")).encode("utf-8", "replace")
    return Record(topic or TOPICS[member], 0, 0, found if key == b"" else key, value, (*pairs, *headers), timestamp)


def update(booking_id: str = "b-1", *, patch: Mapping[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Data of an update-booking."""
    return {"account_id": "acc-1", "booking_id": booking_id, "patch": patch or {}, **members}


def create(booking_id: str = "b-1", *, graph: str = "instant", **members: Any) -> dict[str, Any]:
    """Data of a create-booking at `oslo`; `booking` is merged over its times."""
    booking = {**TIMES, **members.pop("booking", {})}
    return {
        "account_id": "acc-1",
        "booking_id": booking_id,
        "location_id": "oslo",
        "graph": graph,
        "booking": booking,
        **members,
    }


def act(booking_id: str, action: str, **members: Any) -> dict[str, Any]:
    """Data of a state-action."""
    return {"account_id": "acc-1", "booking_id": booking_id, "action": action, **members}


def visit(visit_id: str = "v-1", *, options: Mapping[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Data of a create-visit at `oslo` of customer c-1."""
    data: dict[str, Any] = {"account_id": "acc-1", "visit_id": visit_id, "location_id": "oslo", "visit": members}
    if not members.keys() & {"customer_id", "phone", "email", "external_customer_id"}:
        data["customer_id"] = "c-1"
    return data | {"options": options or {}}


def location(location_id: str = "oslo", account_id: str = "acc-1", *, reply: bool = False, **settings: Any) -> Record:
    """Record of a configure-location."""
    data = {"account_id": account_id, "location_id": location_id, "settings": settings}
    return record("configure-location", data, reply=reply)


def received(made: Record) -> Received:
    """Decodes a record that is a command."""
    found = decode(made, REPLY_TOPICS)
    assert isinstance(found, Received), found
    return found


def question(made: Record) -> Question:
    """Decodes a record that is a sound command."""
    body = received(made).body
    assert isinstance(body, Question), body
    return body


def dead(made: Record) -> DeadLetter:
    """Decodes a record that is no command."""
    found = decode(made, REPLY_TOPICS)
    assert isinstance(found, DeadLetter), found
    return found


@dataclass(slots=True)
class Log:
    """Offsets of partitions as a broker would give them."""

    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    def append(self, records: Sequence[Record], partition: int = 0) -> tuple[list[Record], list[Span]]:
        """Places records at the ends of their topics' partitions; gives them and the spans that they cover."""
        placed: list[Record] = []
        begun: dict[tuple[str, int], int] = {}
        for each in records:
            end = self.ends.get((each.topic, partition), 0)
            begun.setdefault((each.topic, partition), end)
            self.ends[each.topic, partition] = end + 1
            placed.append(Record(each.topic, partition, end, each.key, each.value, each.headers, each.timestamp))
        return placed, [Span(*place, start, self.ends[place]) for place, start in begun.items()]
