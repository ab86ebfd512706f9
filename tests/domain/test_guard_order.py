from dataclasses import dataclass
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.commands import Command, CreateBooking
from service.domain.model import Reason
from tests.support.builders import act, booking, hours, location, patch_visit, reach, update, visit
from tests.support.spec import Given, given

STATUSES = [{"id": "gone", "internal_name": "cancelled", "name": "x"}]


@dataclass(frozen=True)
class Wrongs:
    """A command in which several things are wrong at once, and which of them is told."""

    world: Given
    command: Command
    reason: Reason
    pointers: tuple[str, ...] = ()
    expected_version: int | None = None
    actor: Actor = Actor.EXTERNAL


def policed(**policy: object) -> Given:
    """A venue where b1 is registered, b2 seated, b3 closed, and b1 holds t-1."""
    settings = location(
        customer_policy={"can_edit": True, **policy}, booking_allow_overbooking=False, statuses=STATUSES
    )
    return given(
        settings,
        booking("b1", resource_id="t-1"),
        booking("b2"),
        act("seat", "b2"),
        booking("b3"),
        act("close", "b3"),
        booking("b4", "instant_payment"),
        booking("b5", "instant_payment"),
        act("pay", "b5", payment_id="p"),
        booking("b6"),
    )


NOTHING = given()
STRICT = policed(can_edit=False, can_cancel=False, max_changes=0)
SPENT = policed(max_changes=0)
OPEN = policed()
BAD: dict[str, Any] = {"ends_at": hours(0)}

UPDATES = [
    Wrongs(NOTHING, update(location_id="nowhere", **BAD), Reason.BOOKING_NOT_FOUND, expected_version=9),
    Wrongs(STRICT, update("b3", location_id="nowhere"), Reason.LOCATION_NOT_FOUND, expected_version=9),
    Wrongs(STRICT, update("b3", **BAD), Reason.VERSION_CONFLICT, expected_version=9),
    Wrongs(STRICT, update("b3", **BAD), Reason.READ_ONLY),
    Wrongs(STRICT, update("b2", **BAD), Reason.BLOCKED),
    Wrongs(STRICT, update("b1", **BAD), Reason.CAN_EDIT),
    Wrongs(SPENT, update("b1", **BAD), Reason.MAX_CHANGES),
    Wrongs(SPENT, update("b6", resource_id="t-1"), Reason.MAX_CHANGES),
    Wrongs(SPENT, update("b6", status_id="gone"), Reason.MAX_CHANGES),
    Wrongs(OPEN, update("b6", resource_id="t-1", **BAD), Reason.INVALID_FIELD, ("/patch/ends_at",)),
    Wrongs(OPEN, update("b6", resource_id="t-1", status_id="gone"), Reason.USE_CANCEL_ACTION),
    Wrongs(OPEN, update("b6", resource_id="t-1"), Reason.SLOT_TAKEN),
]

ACTIONS = [
    Wrongs(NOTHING, act("fly"), Reason.BOOKING_NOT_FOUND, expected_version=9),
    Wrongs(STRICT, act("fly", "b3"), Reason.VERSION_CONFLICT, expected_version=9),
    Wrongs(STRICT, act("fly", "b3"), Reason.READ_ONLY),
    Wrongs(STRICT, act("seat", "b2"), Reason.BLOCKED),
    Wrongs(STRICT, act("fly", "b2"), Reason.BLOCKED),
    Wrongs(STRICT, act("fly", x=1), Reason.UNKNOWN_ACTION),
    Wrongs(STRICT, act("seat", x=1), Reason.ACTOR_NOT_ALLOWED),
    Wrongs(STRICT, act("confirm", "b2"), Reason.ACTOR_NOT_ALLOWED, actor=Actor.INTERNAL),
    Wrongs(STRICT, act("wait", "b2", x=1), Reason.LEVEL_NOT_INCREASING, actor=Actor.INTERNAL),
    Wrongs(STRICT, act("timeout", "b5", x=1), Reason.ACTOR_NOT_ALLOWED),
    Wrongs(STRICT, act("cancel", "b4", x=1), Reason.ACTION_NOT_AVAILABLE),
    Wrongs(STRICT, reach("cancelled", "b4", x=1), Reason.ACTION_NOT_AVAILABLE),
    Wrongs(STRICT, act("cancel", "b5", x=1), Reason.UNKNOWN_FIELD, ("/inputs/x",)),
    Wrongs(STRICT, act("cancel", "b5"), Reason.CAN_CANCEL),
]

STRICT_GROUP = given(
    location(booking_allow_overbooking=False, statuses=STATUSES), booking("b1", "instant", resource_id="t-1")
)


def taken(
    booking_id: str = "b9", *, graph: str | None = None, owner: str | None = None, **members: Any
) -> CreateBooking:
    """Creates a booking on the resource that b1 holds."""
    return booking(booking_id, graph, owner=owner, resource_id="t-1", **members)


CREATIONS = [
    Wrongs(NOTHING, taken("b1", **BAD), Reason.INVALID_FIELD, ("/booking/ends_at",), expected_version=9),
    Wrongs(NOTHING, taken("b1", status_id="x"), Reason.LOCATION_NOT_FOUND, expected_version=9),
    Wrongs(STRICT_GROUP, taken("b1", status_id="x"), Reason.VERSION_CONFLICT, expected_version=9),
    Wrongs(STRICT_GROUP, taken("b1", status_id="x"), Reason.ALREADY_EXISTS, expected_version=1),
    Wrongs(STRICT_GROUP, taken("b1", status_id="x"), Reason.ALREADY_EXISTS),
    Wrongs(STRICT_GROUP, taken(graph="group_customer", owner="x", status_id="x"), Reason.BOOKING_NOT_FOUND),
    Wrongs(STRICT_GROUP, taken(status_id="x"), Reason.INVALID_FIELD, ("/booking/status_id",)),
    Wrongs(STRICT_GROUP, taken(status_id="gone"), Reason.USE_CANCEL_ACTION),
    Wrongs(STRICT_GROUP, taken(), Reason.SLOT_TAKEN),
]

HOLDS: dict[str, Any] = {"date": "2030-01-02T12:00", "duration": 60, "resource_ids": ["t-1"]}
VISITS = given(
    location(booking_allow_overbooking=False, max_customer_visits=1, slot_minutes=15),
    visit("v1", external_id="e", **HOLDS),
    visit("v2", customer=None, name="Jo"),
    act("complete", "v2"),
)
PUBLIC: dict[str, Any] = {"public_mode": True}
ALL = {**HOLDS, "external_id": "e"}
OFF = {**ALL, "date": "2030-01-02T12:07"}

OF_VISITS = [
    Wrongs(NOTHING, patch_visit("v1", customer_id="c-2"), Reason.VISIT_NOT_FOUND, expected_version=9),
    Wrongs(VISITS, patch_visit("v1", customer_id="c-2", state="fly"), Reason.VERSION_CONFLICT, expected_version=9),
    Wrongs(VISITS, patch_visit("v1", customer_id="c-2", state="fly"), Reason.IMMUTABLE_FIELD, ("/patch/customer_id",)),
    Wrongs(VISITS, patch_visit("v2", PUBLIC, state="serving", **OFF), Reason.ACTION_NOT_AVAILABLE),
    Wrongs(VISITS, patch_visit("v2", PUBLIC, state="booked", **OFF), Reason.INVALID_FIELD, ("/patch/date",)),
    Wrongs(VISITS, patch_visit("v2", PUBLIC, state="booked", customer_id="c-1", **ALL), Reason.EXTERNAL_ID_TAKEN),
    Wrongs(VISITS, patch_visit("v2", PUBLIC, state="booked", customer_id="c-1", **HOLDS), Reason.MAX_CUSTOMER_VISITS),
    Wrongs(VISITS, patch_visit("v2", PUBLIC, state="booked", **HOLDS), Reason.SLOT_TAKEN),
    Wrongs(VISITS, visit("v3", options=PUBLIC, state="fly", **ALL), Reason.UNKNOWN_ACTION),
    Wrongs(VISITS, visit("v3", options=PUBLIC, **OFF), Reason.INVALID_FIELD, ("/visit/date",)),
    Wrongs(VISITS, visit("v3", options=PUBLIC, **ALL), Reason.EXTERNAL_ID_TAKEN),
    Wrongs(VISITS, visit("v3", options=PUBLIC, **HOLDS), Reason.MAX_CUSTOMER_VISITS),
    Wrongs(VISITS, visit("v3", **HOLDS), Reason.SLOT_TAKEN),
    Wrongs(VISITS, visit("v1", **OFF), Reason.ALREADY_EXISTS),
]


@pytest.mark.parametrize("wrongs", UPDATES + ACTIONS + CREATIONS + OF_VISITS)
def test_of_several_wrongs_the_first_guard_answers(wrongs: Wrongs) -> None:
    """Body, load, version, access class, legality, customer policy, then the rules of the values."""
    wrongs.world.when(wrongs.command, actor=wrongs.actor, expected_version=wrongs.expected_version).then_refused(
        wrongs.reason, *wrongs.pointers
    )
