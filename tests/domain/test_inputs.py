from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.model import Reason
from tests.support.builders import act, booking, location, reach, visit
from tests.support.spec import given

FREE = given(location(), booking(graph="instant"))
UNPAID = given(location(), booking(graph="instant_payment"))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("p-1", "p-1"),
        ("x" * 64, "x" * 64),
        (7, "7"),
        (0, "0"),
        (-5, "-5"),
        (10**63, "1" + 63 * "0"),
        ("A.z_0:9-", "A.z_0:9-"),
    ],
)
def test_an_id_is_taken(value: Any, kept: str) -> None:
    """An id is a text, or an integer kept as its decimal text."""
    UNPAID.when(act("pay", payment_id=value)).then(inputs={"payment_id": kept}, state="paid")


@pytest.mark.parametrize("value", [None, "", "x" * 65, "a b", "æ", "a/b", True, False, 1.0, [], {}, 10**64, ["p"]])
def test_what_is_no_id_is_refused(value: Any) -> None:
    """A required input must be there and be an id; null is not there."""
    refused = UNPAID.when(act("pay", payment_id=value)).then_refused(Reason.INVALID_FIELD, "/inputs/payment_id")
    assert ("needs this input" if value is None else "expected an id of 1..64") in str(refused.decision)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("flight moved", "flight moved"),
        ("", ""),
        ("x" * 2000, "x" * 2000),
        ("a\n\tb", "a\n\tb"),
        ("cafe\u0301", "café"),
        ("e\u0301" * 2000, "é" * 2000),
        ("🎂" * 2000, "🎂" * 2000),
    ],
)
def test_a_message_is_taken(value: str, kept: str) -> None:
    """A text is kept in its normal form, of which it may have 2,000 characters."""
    FREE.when(act("cancel", message=value)).then(inputs={"message": kept}, state="cancelled")


@pytest.mark.parametrize("value", ["x" * 2001, "a\x07b", "\x7f", "\r", "\x85", "\ud800", 1, True, ["x"], {"a": "b"}])
def test_what_is_no_message_is_refused(value: Any) -> None:
    """Too long, control characters, lone surrogates, other types."""
    refused = FREE.when(act("cancel", message=value)).then_refused(Reason.INVALID_FIELD, "/inputs/message")
    assert "expected a text of at most 2000 characters" in str(refused.decision)


def test_a_message_may_be_left_out() -> None:
    """Null is as good as nothing."""
    FREE.when(act("cancel")).then(inputs={})
    FREE.when(act("cancel", message=None)).then(inputs={})
    FREE.when(reach("cancelled", message="x")).then(inputs={"message": "x"}, action="cancel")


@pytest.mark.parametrize(
    ("inputs", "reason", "pointers"),
    [
        ({"payment_id": "p", "colour": "red"}, Reason.UNKNOWN_FIELD, ["colour"]),
        ({"payment_id": "p", "a": None, "b": 1}, Reason.UNKNOWN_FIELD, ["a", "b"]),
        ({"colour": "red"}, Reason.INVALID_FIELD, ["payment_id", "colour"]),
        ({"payment_id": "", "message": "x"}, Reason.INVALID_FIELD, ["payment_id", "message"]),
        ({"payment_id": "p", "a/b~c": 1}, Reason.UNKNOWN_FIELD, ["a~1b~0c"]),
    ],
)
def test_inputs_are_those_that_are_declared(inputs: dict[str, Any], reason: Reason, pointers: list[str]) -> None:
    """All that is wrong is told; the detail is unknown_field where that is all."""
    UNPAID.when(act("pay", **inputs)).then_refused(reason, *(f"/inputs/{pointer}" for pointer in pointers))


@pytest.mark.parametrize(
    ("graph", "actions", "takes"),
    [
        ("venue", ["cancel", "mark_no_show"], True),
        ("venue", ["confirm", "seat", "close"], False),
        ("instant", ["cancel", "cancel_by_customer", "reschedule_by_customer"], True),
        ("instant", ["complete"], False),
        ("confirm_decline", ["decline"], True),
        ("confirm_decline", ["confirm"], False),
        ("group_owner", ["cancel"], True),
        ("group_customer", ["cancel_by_customer", "cancel_by_owner"], True),
        ("status", ["cancel"], True),
    ],
)
def test_cancelling_and_its_kin_take_a_message(graph: str, actions: list[str], takes: bool) -> None:  # noqa: FBT001
    """Other actions take none."""
    for action in actions:
        actors = given().world.graphs[graph].actions[action].actors
        actor = Actor.EXTERNAL if Actor.EXTERNAL in actors else Actor.INTERNAL
        when = given(location(), booking(graph=graph)).when(act(action, message="x"), actor=actor)
        if takes:
            when.then(inputs={"message": "x"})
        else:
            when.then_refused(Reason.UNKNOWN_FIELD, "/inputs/message")


def test_visits_take_messages_too() -> None:
    """Cancel of a visit has a message, serve has none."""
    one = given(location(), visit())
    one.when(act("cancel", "v1", message="x")).then(inputs={"message": "x"})
    one.when(act("serve", "v1", message="x")).then_refused(Reason.UNKNOWN_FIELD, "/inputs/message")


def test_a_state_that_it_is_in_needs_no_inputs() -> None:
    """Nothing is asked of what happens already."""
    FREE.when(reach("confirmed", colour="red")).then_nothing_happened()
