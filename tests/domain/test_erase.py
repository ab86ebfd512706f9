from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.booking_rules import DEFAULTS as BOOKING
from service.domain.commands import Context, ErasePerson
from service.domain.erase import BLANK, erase_person
from service.domain.model import Accepted, Aggregate, Changed, Kind, Reason
from service.domain.visit_rules import DEFAULTS as VISIT
from tests.support.builders import NOW, act, booking, location, patch_visit, visit
from tests.support.spec import given

CONTEXT = Context("acc-1", Actor.INTERNAL, NOW)
TIMES = {"starts_at": "2030-01-02T12:00:00Z", "ends_at": "2030-01-02T14:00:00Z"}
KEPT = {
    "booking": {
        **TIMES, "service_id": "s", "provider_id": "p", "resource_id": "r", "status_id": "1", "price": "1",
        "guest_count": 3, "ext_reference_id": "x", "ext_reference_number": "1", "scenario_name": "Breakfast",
        "no_show_fee": {"amount_pre_authorized": "5"}, "tags": ["vip"], "types": ["walk-in"], "time_slot_id": "o",
    },
    "visit": {
        **TIMES, "external_id": "x", "public_id": "p", "service_ids": ["s"], "resource_ids": ["r"], "party_size": 2,
        "wait_duration": 1, "position": 1, "state": "booked", "tags": ["vip"], "date": "2030-01-02T12:00",
        "duration": 60, "is_block": True, "source": "web", "locale": "nb-NO", "policy_consent": True,
        "message_info": {"last_incoming": {"channel": "sms"}}, "order_value": {"amount": "1", "currency": "NOK"},
    },
}  # fmt: skip
PERSONAL: dict[str, dict[str, Any]] = {
    "booking": {
        "customer_id": "c", "guest": {"phone": "1"}, "notes": "n", "comment": "c", "ext_properties": {"k": "v"},
    },
    "visit": {
        "customer_id": "c", "external_customer_id": "e", "customer": {"notes": "n"}, "name": "J", "first_name": "J",
        "last_name": "D", "phone": "+4790090090", "email": "j@doe.example", "data_fields": [{"id": "f", "values": []}],
        "metadata": {"k": "v"},
    },
}  # fmt: skip


def erased(kind: Kind, members: dict[str, Any], memo: dict[str, Any] | None = None) -> Accepted:
    """What erasing a booking or visit of these members comes to."""
    snapshot = {**members, "created_at": "2029-01-01T00:00:00Z", "updated_at": "2029-01-01T00:00:00Z"}
    found = erase_person(Aggregate(kind, "acc-1", "x-1", 3, snapshot, memo), CONTEXT)
    assert isinstance(found, Accepted)
    return found


@pytest.mark.parametrize(("kind", "defaults"), [("booking", BOOKING), ("visit", VISIT)])
def test_every_member_is_either_personal_or_kept(kind: Kind, defaults: dict[str, Any]) -> None:
    """What tells of a person is as if it had never been given; what happened stays; no member is forgotten."""
    assert set(PERSONAL[kind]) == set(BLANK[kind])
    assert set(KEPT[kind]) | set(PERSONAL[kind]) == set(defaults)
    after = erased(kind, {**KEPT[kind], **PERSONAL[kind]}).state.snapshot
    assert {name: after[name] for name in KEPT[kind]} == KEPT[kind]
    assert {name: after[name] for name in PERSONAL[kind]} == {name: defaults[name] for name in PERSONAL[kind]}


def test_an_erasure_does_not_repeat_what_it_erases() -> None:
    """Its change tells which members were blanked, not what they held, and that the guest is not to be told."""
    (change,) = erased("booking", {**KEPT["booking"], **PERSONAL["booking"]}).changes
    assert change.after.version == 4
    assert (change.action, change.options) == (None, {"silent": True})
    assert change.told == {**dict.fromkeys(PERSONAL["booking"], (None, None)), "ext_properties": (None, {})}
    assert change.changes["notes"] == ("n", None)
    assert Changed(change.after, {"notes": ("n", None)}).told == {"notes": ("n", None)}


def test_where_nobody_is() -> None:
    """What tells of nobody stays at its version; a part of a person is a person."""
    assert erased("visit", {**VISIT, **KEPT["visit"]}).changes == ()
    (change,) = erased("visit", {**VISIT, **KEPT["visit"], "name": "J"}).changes
    assert list(change.told) == ["name"]


def test_what_is_remembered_is_kept() -> None:
    """That a visit was created with its customer still holds, so that nobody puts another one in."""
    assert erased("visit", PERSONAL["visit"], {"customer_given": True}).state.memo == {"customer_given": True}
    one = given(location(), visit("v1", customer="c-1", phone="+4790090090"))
    gone = one.when(ErasePerson("visit", "v1"), actor=Actor.INTERNAL).then(customer_id=None, phone=None)
    gone.when(patch_visit("v1", customer_id="c-2")).then_refused(Reason.IMMUTABLE_FIELD, "/patch/customer_id")


@pytest.mark.parametrize("state", ["seated", "closed", "no_show", "cancelled"])
def test_no_state_keeps_it_out(state: str) -> None:
    """Bookings that nobody may change any more are blanked like all others."""
    action = {"seated": "seat", "closed": "close", "no_show": "mark_no_show", "cancelled": "cancel"}[state]
    one = given(location(), booking(graph="venue", customer_id="c", notes="nuts"))
    moved = one.when(act(action), actor=Actor.INTERNAL).then(state=state)
    moved.when(ErasePerson("booking", "b1"), actor=Actor.INTERNAL).then(state=state, customer_id=None, notes=None)


def test_what_is_not_there() -> None:
    """An erasure of nothing is refused as any command is."""
    given(location()).when(ErasePerson("booking", "b9"), actor=Actor.INTERNAL).then_refused(Reason.BOOKING_NOT_FOUND)
    given(location()).when(ErasePerson("visit", "v9"), actor=Actor.INTERNAL).then_refused(Reason.VISIT_NOT_FOUND)
