from typing import Any

import orjson
import pytest

from service.domain.change import altered, created
from service.domain.decide import decide
from service.domain.graph import Graph
from service.domain.location import DEFAULTS
from service.domain.model import Accepted, Aggregate, Changed
from service.graphs.loader import load_graphs
from service.outbox.event import Cause, event_row, sequence
from service.outbox.row import uuid5
from service.outbox.trace import own_traceparent
from tests.support.records import APPENDED, SOURCE, TRACEPARENT, act, create, question, received, record
from tests.support.rows import Sent, sent

EVERY_FIELD = {
    "starts_at", "ends_at", "service_id", "provider_id", "customer_id", "resource_id", "status_id", "price", "notes",
    "guest", "guest_count", "comment", "ext_reference_id", "ext_reference_number", "ext_properties", "scenario_name",
    "no_show_fee", "tags", "types", "time_slot_id", "location_id", "state", "graph", "bulk_id", "owner_booking_id",
    "changes_left", "created_at", "updated_at",
}  # fmt: skip


class Account:
    """An account with one location and at most one booking."""

    def __init__(self, graphs: dict[str, Graph], booking: Aggregate | None) -> None:
        self.graphs = graphs
        self.booking = booking

    def find(self, kind: str, aggregate_id: str) -> Aggregate | None:
        """The location, or the booking."""
        if kind == "location":
            return created("location", "acc-1", aggregate_id, dict(DEFAULTS), APPENDED).after
        return self.booking

    def __getattr__(self, name: str) -> Any:
        return lambda *_: ()


@pytest.fixture(scope="module")
def graphs() -> dict[str, Graph]:
    """The shipped graphs."""
    return dict(load_graphs(None))


def change(graphs: dict[str, Graph], data: dict[str, Any], kind: str, before: Aggregate | None) -> tuple[Changed, Sent]:
    """Decides a command and gives its change and event."""
    made = record(kind, data, "6f0c", ce_correlationid="order-7781" if before else None, traceparent=TRACEPARENT)
    asked = question(made)
    accepted = decide(Account(graphs, before), asked.command, asked.context)
    assert isinstance(accepted, Accepted)
    done = accepted.changes[0]
    graph = graphs[done.after.snapshot["graph"]]
    state = orjson.dumps(done.after.snapshot)
    return done, sent(event_row(done, state, Cause(received(made), asked, 0), graph))


def test_a_creation(graphs: dict[str, Graph]) -> None:
    """A creation tells every field, nulls included, and as changes those that are not null."""
    done, event = change(graphs, create("b-1001", booking={"price": "120.50", "notes": "nüts"}), "create-booking", None)
    value = event.value
    assert set(value["booking"]) == EVERY_FIELD
    assert list(value) == [
        "account_id", "booking_id", "version", "booking", "changes", "action", "from_state", "to_state", "completed",
        "available_actions", "actor", "source", "reason", "options", "inputs", "replicated_from", "bulk_id",
        "command_id", "silent", "links",
    ]  # fmt: skip
    assert (value["version"], value["action"], value["from_state"], value["to_state"]) == (
        1,
        "create",
        None,
        "confirmed",
    )
    assert value["changes"]["price"] == [None, "120.50"]
    assert set(value["changes"]) == {name for name, member in value["booking"].items() if member is not None} - {
        "created_at",
        "updated_at",
        "changes_left",
    }
    assert (value["source"], value["command_id"], value["links"]) == (SOURCE, "6f0c", None)
    assert event.headers == {
        "ce_specversion": "1.0",
        "ce_id": uuid5(b"event/acc-1/booking/b-1001/1/" + received(
            record("create-booking", create("b-1001"), "6f0c")).command_key),
        "ce_source": "/bookstream",
        "ce_type": "booking-changed",
        "ce_subject": "b-1001",
        "ce_time": "2026-12-01T09:00:00Z",
        "ce_sequence": "00000000000000000001",
        "ce_causationid": "6f0c",
        "ce_correlationid": "6f0c",
        "ce_dataschema": "urn:bookstream:schema:booking-changed.v1",
        "content-type": "application/json",
        "traceparent": own_traceparent(received(record("create-booking", create("b-1001", booking={
            "price": "120.50", "notes": "nüts"}), "6f0c", traceparent=TRACEPARENT))),
    }  # fmt: skip
    assert (event.topic, event.key, done.after.version) == ("booking-events", b"b-1001", 1)


def test_an_action(graphs: dict[str, Graph]) -> None:
    """An action tells the states that it led from and to, its inputs, and the command's correlation."""
    done, _ = change(graphs, create("b-1001"), "create-booking", None)
    data = act("b-1001", "cancel", inputs={"message": "flight moved"}, reason="why")
    _, event = change(graphs, data, "state-action", done.after)
    value = event.value
    assert value["changes"] == {"state": ["confirmed", "cancelled"]}
    assert (value["action"], value["from_state"], value["to_state"]) == ("cancel", "confirmed", "cancelled")
    assert (value["completed"], value["available_actions"]) == (True, [])
    assert (value["inputs"], value["reason"], value["actor"]) == ({"message": "flight moved"}, "why", "external")
    assert event.headers["ce_sequence"] == "00000000000000000002"
    assert event.headers["ce_correlationid"] == "order-7781"


def test_times_never_go_back() -> None:
    """A change that comes with an earlier append time bears the time of the last one."""
    last = created("booking", "a", "b", {"state": "x"}, APPENDED).after
    again = altered(last, {"state": "y"}, APPENDED.replace(year=2020))
    assert again is not None
    assert again.after.snapshot["updated_at"] == "2026-12-01T09:00:00Z"


def test_sequences_sort_as_text() -> None:
    """The epoch counts more than any version."""
    ordered = [
        sequence(0, 1),
        sequence(0, 9),
        sequence(0, 10),
        sequence(0, 10**16 - 1),
        sequence(1, 1),
        sequence(12, 3),
    ]
    assert ordered == sorted(ordered)
    assert {len(text) for text in ordered} == {20}
