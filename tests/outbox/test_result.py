import pytest

from schemas.results import CommandAccepted, CommandRefused
from service.domain.change import created
from service.domain.model import Fault, Reason, Refused, SiblingOutcome
from service.graphs.loader import load_graphs
from service.outbox.problem import PROBLEMS, TITLES
from service.outbox.result import acceptance_body, refusal_body, result_row, sibling_member
from service.outbox.trace import own_traceparent
from service.received import Received
from tests.support.records import APPENDED, SOURCE, TRACEPARENT, received, record, update
from tests.support.rows import Sent, sent

CODES = {
    400: {"invalid_field", "unknown_field", "immutable_field", "key_mismatch", "wrong_topic"},
    401: {"invalid_api_key", "api_config_inactive", "invalid_signature", "stale_signature"},
    403: {"scope_denied", "actor_not_allowed"},
    404: {"booking", "visit", "location"},
    409: {"version_conflict", "command_id_reuse", "already_exists", "external_id_taken", "slot_taken", "group_full",
          "blocked", "read_only", "level_not_increasing", "action_not_available", "unknown_action",
          "link_used"},
    422: {"can_edit", "before_edit_booking", "max_changes", "can_cancel", "max_customer_visits", "use_cancel_action"},
    429: {"burst_limit_exceeded", "daily_quota_exceeded"},
    500: {"internal_error"},
    502: {"expired"},
}  # fmt: skip
OUTCOME = {
    "outcome": "applied",
    "version": 2,
    "state": "confirmed",
    "completed": False,
    "available_actions": ["cancel"],
}


def command(command_id: str = "6f0c", **more: str | bytes | None) -> Received:
    """A command on booking b-1001."""
    return received(record("update-booking", update("b-1001", patch={"guest_count": 3}), command_id, attributes=more))


def row(asked: Received, body: bytes, *, accepted: bool) -> Sent:
    """A result as a reader sees it."""
    return sent(result_row(asked, body, accepted=accepted, correlation="k", topic="command-results"))


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal(reason: Reason) -> None:
    """Each reason has its status, and a problem that fits the schema."""
    found = row(command(), refusal_body(command(), Refused(reason), None, None), accepted=False)
    value = found.value
    assert reason in CODES[value["status"]]
    assert value["type"] == f"urn:bookstream:{value['error']}:{reason}"
    assert value["title"] == TITLES[value["error"]]
    assert value["retryable"] is (reason in CODES[429] | {"internal_error", "version_conflict", "expired"})
    CommandRefused.model_validate(value)


def test_no_reason_is_missing() -> None:
    """Every reason can be told, and nothing else can."""
    assert set(PROBLEMS) == set(Reason) == {Reason(code) for codes in CODES.values() for code in codes}


def test_a_refusal_as_the_contract_shows_it() -> None:
    """Members, order and headers of a refusal."""
    booking = created("booking", "acc-1", "b-1001", {"state": "confirmed", "graph": "instant"}, APPENDED).after
    refused = Refused(Reason.VERSION_CONFLICT, (Fault("/patch/guest_count", "détail"),))
    body = refusal_body(command(), refused, booking, load_graphs(None)["instant"])
    found = row(command(traceparent=TRACEPARENT), body, accepted=False)
    message = PROBLEMS[Reason.VERSION_CONFLICT].message
    assert list(found.value.items()) == [
        ("type", "urn:bookstream:conflict:version_conflict"),
        ("title", "The command conflicts with the state of the account"),
        ("status", 409),
        ("error", "conflict"),
        ("detail", "version_conflict"),
        ("message", message),
        ("retryable", True),
        ("command_id", "6f0c"),
        ("command_source", SOURCE),
        ("account_id", "acc-1"),
        ("aggregate_type", "booking"),
        ("aggregate_id", "b-1001"),
        ("current_version", 1),
        ("available_actions", ["cancel", "cancel_by_customer", "complete", "reschedule_by_customer"]),
        ("errors", [{"pointer": "/patch/guest_count", "detail": "détail"}]),
        ("retry_after", None),
    ]
    assert (found.key, found.headers["ce_subject"]) == (b"b-1001", "b-1001")
    assert found.headers["content-type"] == "application/problem+json"
    assert (found.headers["ce_type"], found.headers["ce_source"]) == ("command-refused", "/bookstream")
    assert (found.headers["ce_causationid"], found.headers["ce_correlationid"]) == ("6f0c", "k")
    assert found.headers["traceparent"] == own_traceparent(command(traceparent=TRACEPARENT))


def test_an_acceptance_as_the_contract_shows_it() -> None:
    """Members, order and headers of an acceptance."""
    siblings = [
        sibling_member(SiblingOutcome("b-1002", "applied", 5)),
        sibling_member(SiblingOutcome("b-1003", Refused(Reason.READ_ONLY), None)),
        sibling_member(SiblingOutcome("b-1004", "unchanged", 1)),
    ]
    found = row(command(), acceptance_body(command(), OUTCOME | {"siblings": siblings}), accepted=True)
    assert list(found.value) == [
        "status", "outcome", "command_id", "command_source", "account_id", "aggregate_type", "aggregate_id", "version",
        "state", "completed", "available_actions", "deprecated", "siblings", "preview",
    ]  # fmt: skip
    assert found.value["siblings"] == [
        {"booking_id": "b-1002", "outcome": "applied", "version": 5},
        {"booking_id": "b-1003", "outcome": "refused", "error": "illegal_state_change", "detail": "read_only"},
        {"booking_id": "b-1004", "outcome": "unchanged", "version": 1},
    ]
    assert (found.headers["ce_type"], found.headers["content-type"]) == ("command-accepted", "application/json")
    CommandAccepted.model_validate(found.value)


def test_the_id_of_an_acceptance() -> None:
    """An acceptance's id follows from account, command and content, and from nothing else."""
    body = acceptance_body(command(), OUTCOME)
    first = row(command(), body, accepted=True).headers["ce_id"]
    assert (
        row(command(traceparent=TRACEPARENT, ce_time="2026-12-01T09:00:00Z"), body, accepted=True).headers["ce_id"]
        == first
    )
    assert row(command("other"), body, accepted=True).headers["ce_id"] != first


def test_the_id_of_a_refusal() -> None:
    """Another refusal of the same command, as after one that isn't final, has an id of its own."""
    bodies = [refusal_body(command(), Refused(reason), None, None) for reason in Reason for _ in range(2)]
    assert len({row(command(), body, accepted=False).headers["ce_id"] for body in bodies}) == len(Reason)


def test_a_refusal_names_no_account_where_there_is_none() -> None:
    """A command without a usable account is answered without one."""
    asked = received(record("update-booking", update() | {"account_id": "a b"}))
    assert isinstance(asked.body, Refused)
    assert row(asked, refusal_body(asked, asked.body, None, None), accepted=False).value["account_id"] is None


def test_a_refusal_of_what_was_not_clean() -> None:
    """A refusal for an id, a source or names that no text may hold still fits the schema."""
    flood = [(f"ce_{n}\x01{'é' * 300}", b"\x00") for n in range(500)]
    asked = received(
        record("update-booking", update(patch={"\x00": 1}), "i\x00" + "x" * 900, ce_source="s\x7f", headers=flood)
    )
    assert isinstance(asked.body, Refused)
    found = row(asked, refusal_body(asked, asked.body, None, None), accepted=False)
    assert len(found.value["errors"]) == 100
    CommandRefused.model_validate(found.value)
