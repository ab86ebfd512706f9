from typing import Any

import orjson
import pytest

from service.domain.actor import Actor
from service.domain.commands import Command, StateAction
from service.domain.model import Reason, Refused
from service.outbox.event import Cause, event_row
from service.outbox.problem import PROBLEMS, TITLES
from tests.support.builders import NOW, act, booking, hours, location, patch_visit, update, visit
from tests.support.records import question, received, record
from tests.support.spec import given
from tests.support.world import shipped_graphs


def asked(command_type: str, **data: Any) -> Command:
    """The command that a record on the wire stands for."""
    return question(record(command_type, {"account_id": "acc-1", **data})).command


def refused(command_type: str, **data: Any) -> tuple[str, list[str]]:
    """Detail and pointers of a record that is refused before anything is looked up."""
    body = received(record(command_type, {"account_id": "acc-1", **data})).body
    assert isinstance(body, Refused), body
    return body.reason, [fault.pointer for fault in body.faults]


def test_every_member_of_a_visit_changes_in_one_command() -> None:
    """The whole body of the page fits one patch; what it calls deprecated comes out under its successor."""
    patch: dict[str, Any] = {
        "external_customer_id": "crm-7", "name": "Kari Nordmann", "first_name": "Kari", "last_name": "Nordmann",
        "phone": "+4790090090", "email": "kari@nordmann.example", "public_id": "A001", "service_ids": ["s-1"],
        "resource_ids": ["r-1"], "data_fields": [{"id": "f-1", "values": ["blue"]}], "party_size": 4,
        "wait_duration": 600, "position": 2, "tags": ["vip"], "date": "2030-05-01T18:00", "duration": 5400,
        "is_block": True, "source": "API", "locale": "nb-NO", "policy_consent": True,
        "message_info": {"last_outgoing": {"channel": "SMS", "state": "DELIVERED"}}, "metadata": {"k": "v"},
        "order_value": {"amount": "450.00", "currency": "NOK"},
    }  # fmt: skip
    command = asked("update-visit", visit_id="v1", patch={**patch, "state": "SERVING", "notes": "by the window"})
    one = given(location(), visit()).when(command)
    one.then(version=2, **patch, state="serving", customer={"notes": "by the window"})
    assert one.accepted.deprecated == ("notes",)


def test_the_identity_of_a_visit_is_no_part_of_its_patch() -> None:
    """Neither the visit's id nor its location can be changed by naming them in the body."""
    found = refused("update-visit", visit_id="v1", patch={"visit_id": "v2", "location_id": "bergen"})
    assert (found[0], sorted(found[1])) == ("immutable_field", ["/patch/location_id", "/patch/visit_id"])


def test_a_silent_change_says_so() -> None:
    """The event of a change asks that the guest is not notified when the command did."""
    for silent in (True, False):
        made = record("update-visit", {"account_id": "acc-1", "visit_id": "v1", "patch": {"party_size": 2},
                                       "options": {"silent": silent}})  # fmt: skip
        cause = Cause(received(made), question(made), epoch=0)
        changed = given(location(), visit()).when(cause.question.command).change
        row = event_row(changed, orjson.dumps(changed.after.snapshot), cause, shipped_graphs()["waitlist"])
        assert row.value is not None
        assert orjson.loads(row.value)["silent"] is silent


@pytest.mark.parametrize(("setting", "option"), [(False, True), (True, False), (True, None), (False, None)])
def test_an_option_decides_on_overbooking_for_its_call(setting: bool, option: bool | None) -> None:  # noqa: FBT001
    """The option goes before the location's setting, for visits and bookings, in creations and patches."""
    held: dict[str, Any] = {"date": "2030-01-02T12:00", "duration": 7200}
    world = given(location(booking_allow_overbooking=setting), visit(resource_ids=["r-1"], **held), visit("v2", **held))
    options = {} if option is None else {"allow_overbooking": option}
    calls: list[Command] = [
        patch_visit("v2", options=options, resource_ids=["r-1"]),
        visit("v3", options=options, resource_ids=["r-1"], **held),
        booking(options=options, resource_id="r-1"),
    ]
    for call in calls:
        if setting if option is None else option:
            world.when(call).accepted  # noqa: B018
        else:
            world.when(call).then_refused(Reason.SLOT_TAKEN)


def test_a_block_keeps_bookings_out_of_the_calendar() -> None:
    """A visit that only blocks the calendar holds its resources for its time, to the second; no time is no hold."""
    held: dict[str, Any] = {"date": "2030-01-02T10:00", "duration": 7200, "resource_ids": ["r-1"]}
    world = given(
        location(booking_allow_overbooking=False), visit(customer=None, name="painters", is_block=True, **held)
    )
    world.when(booking(resource_id="r-1", starts_at="2030-01-02T11:59:59Z")).then_refused(Reason.SLOT_TAKEN)
    world.when(booking(resource_id="r-1", starts_at="2030-01-02T12:00:00Z")).then(version=1)
    world.when(act("cancel", "v1")).when(booking(resource_id="r-1", starts_at="2030-01-02T11:00:00Z")).then(version=1)
    nothing = world.when(patch_visit(duration=0))
    nothing.when(booking(resource_id="r-1", starts_at="2030-01-02T11:00:00Z")).then(version=1)


@pytest.mark.parametrize("reason", [Reason.CAN_EDIT, Reason.BEFORE_EDIT_BOOKING, Reason.MAX_CHANGES])
def test_a_rule_of_the_merchant_is_told_as_such(reason: Reason) -> None:
    """Each is a 422 that names the rule and says that trying again is of no use."""
    problem = PROBLEMS[reason]
    assert (problem.status, problem.error, problem.retryable) == (422, "restricted", False)
    assert TITLES[problem.error] == "The merchant does not allow this"
    assert "Do not retry" in problem.message


def test_every_member_of_a_booking_changes_in_one_command() -> None:
    """The whole body of the page fits one patch, numbers for ids, and uses up one change."""
    catalogue = [{"id": "3", "internal_name": "attended", "name": "Asiste"}]
    policy = {"max_changes": 2}
    world = given(location(customer_policy=policy), location("21", statuses=catalogue), booking(graph="status"))
    patch = {"starts_at": "2030-02-01T09:00:00-03:00", "ends_at": "2030-02-01T10:00:00-03:00", "service_id": 5,
             "provider_id": 7, "customer_id": 11, "location_id": 21, "status_id": 3, "price": "15000.0",
             "notes": "nuts", "resource_id": 9}  # fmt: skip
    world.when(asked("update-booking", booking_id="b1", patch=patch)).then(
        version=2,
        starts_at="2030-02-01T12:00:00Z",
        ends_at="2030-02-01T13:00:00Z",
        service_id="5",
        provider_id="7",
        customer_id="11",
        location_id="21",
        status_id="3",
        state="attended",
        price="15000.0",
        notes="nuts",
        resource_id="9",
        changes_left=1,
    )


@pytest.mark.parametrize(("answer", "action"), [("CONFIRMED", "confirm"), ("CANCELLED", "cancel")])
def test_the_answer_of_a_guest_is_a_state(answer: str, action: str) -> None:
    """A guest who was asked confirms, or says no, which cancels; the body names the state in the page's capitals."""
    sent = given(location(), booking()).when(asked("state-action", booking_id="b1", state="UNCONFIRMED"))
    sent.then(state="unconfirmed", action="request_confirmation")
    sent.when(asked("state-action", booking_id="b1", state=answer)).then(state=answer.lower(), action=action)


def test_a_booking_has_the_members_of_the_page() -> None:
    """The page's example goes in under names of our own, and comes out as it went in."""
    members: dict[str, Any] = {
        "starts_at": "2023-01-11T17:00:00Z", "ends_at": "2023-01-11T19:00:00Z",
        "time_slot_id": "trlY5s1zestnjauIG8YcqMAyIEys7AQimt+n9CKG+67RbWHLHy952+PU5LUDHQWD",
        "guest": {"first_name": "John", "last_name": "Doe", "phone": "4790090090", "email": "john@doe.com"},
        "guest_count": 2, "comment": "We might arrive 10 minutes late.", "ext_reference_number": "123",
        "ext_reference_id": "6ecfc7e7-7b31-4b4c-97a3-a3888d2ade94",
        "ext_properties": {"additionalProperties": "string"}, "scenario_name": "Breakfast",
        "tags": ["string"], "types": ["string"],
        "no_show_fee": {"amount_pre_authorized": "500", "amount_to_capture": "250"},
    }  # fmt: skip
    booking_id = "20230221081212-2db89a3f-766a-421e-922a-dbb77fe011d3"
    command = asked("create-booking", booking_id=booking_id, location_id=149, booking=members)
    given(location("149")).when(command).then(version=1, **members, location_id="149", state="registered")


def test_actions_depend_on_graph_and_state() -> None:
    """An action of another graph is unknown, one of another state is not available."""
    tentative = given(location(), booking(graph="confirm_decline"))
    tentative.when(act("pay", payment_id="p-1")).then_refused(Reason.UNKNOWN_ACTION)
    tentative.when(act("cancel")).then_refused(Reason.ACTION_NOT_AVAILABLE)
    confirmed = tentative.when(act("confirm")).then(state="confirmed")
    confirmed.when(act("decline")).then_refused(Reason.ACTION_NOT_AVAILABLE)
    confirmed.when(act("cancel")).then(state="cancelled")
    confirmed.when(act("cancel_by_customer")).then(state="cancelled_by_customer")
    confirmed.when(act("complete")).then(state="completed")


def test_declining_takes_a_message_and_no_switch() -> None:
    """Whether somebody is notified is no input of an action."""
    world = given(location(), booking(graph="confirm_decline"))
    world.when(act("decline", message="full")).then(state="declined", inputs={"message": "full"})
    world.when(act("decline", enabled=False)).then_refused(Reason.UNKNOWN_FIELD, "/inputs/enabled")


def test_a_final_state_offers_nothing() -> None:
    """What is completed, declined or cancelled takes no action; what is paid still does."""
    for graph in (graph for graph in shipped_graphs().values() if graph.aggregate == "booking"):
        for state in graph.states.values():
            offers = {name for actor in Actor for name in graph.available(state.name, actor)}
            assert state.final is not bool(offers)
    paid = given(location(), booking(graph="instant_payment"), act("pay", payment_id="p-1"))
    paid.when(act("cancel")).then(state="cancelled").when(act("complete")).then_refused(Reason.ACTION_NOT_AVAILABLE)


def test_a_booking_completes_an_hour_after_its_end() -> None:
    """The timer follows the end, and is gone when somebody completes the booking before."""
    due = NOW.replace(day=2, hour=15)
    made = given(location()).when(booking(graph="instant", ends_at=hours(26)))
    assert made.timers == {"complete": due}
    moved = made.when(update(ends_at=hours(25)))
    assert moved.timers == {"complete": due.replace(hour=14)}
    assert moved.when(act("complete")).then(state="completed").timers == {}
    moved.when(act("complete"), actor=Actor.SYSTEM).then(state="completed")


def test_an_action_on_one_of_a_bulk_is_an_action_on_all() -> None:
    """By default the action goes on to the group, and each is told apart; switched off, it stays with the one."""
    wire = asked("state-action", booking_id="b1", action="cancel")
    assert isinstance(wire, StateAction)
    assert wire.apply_to_bulked_bookings
    group = [booking(name, "instant", bulk="g") for name in ("b1", "b2", "b3")]
    world = given(location(), *group, booking("b4", "instant"), act("cancel_by_customer", "b3", bulk=False))
    done = world.when(wire).then_siblings(b2=2, b3=Reason.ACTION_NOT_AVAILABLE)
    assert [(one.after.id, one.replicated_from) for one in done.accepted.changes] == [("b1", None), ("b2", "b1")]
    world.when(act("cancel", bulk=False)).then_siblings().then(state="cancelled")


VISIT: dict[str, Any] = {
    "external_id": "ee33d7e5-6cf8-445a-abd8-81e70bf4c8ad",
    "source": "Website",
    "starts_at": "2024-05-01T20:00:00+00:00",
    "ends_at": "2024-05-01T22:30:00+00:00",
}
CONTACT = "15ead936-0d0a-40ed-877b-39f22b34be53"
VISIT_ID = "bfada889-6a69-4fcf-aed6-42933ae9084d"


def test_a_visit_is_created_as_on_the_page() -> None:
    """Contact, shop and the four optional members; the whole visit is what comes of it."""
    data = {"visit_id": VISIT_ID, "location_id": "shop", "customer_id": CONTACT}
    given(location("shop")).when(asked("create-visit", **data, visit={**VISIT, "email": "bob@example.com"})).then(
        version=1,
        customer_id=CONTACT,
        location_id="shop",
        email="bob@example.com",
        external_id=VISIT["external_id"],
        source="Website",
        starts_at="2024-05-01T20:00:00Z",
        ends_at="2024-05-01T22:30:00Z",
        created_at="2030-01-01T12:00:00Z",
        state="booked",
    )


def test_a_visit_is_updated_as_on_the_page() -> None:
    """Any of the four members alone; times may lie in the past and a year apart; shop and contact stay."""
    world = given(location(), visit("v1", **VISIT))
    patch = {"source": "Kiosk", "starts_at": "2001-01-23T00:00:00+00:00", "ends_at": "2002-02-24T00:00:00+00:00"}
    world.when(asked("update-visit", visit_id="v1", patch=patch)).then(
        version=2, source="Kiosk", ends_at="2002-02-24T00:00:00Z", external_id=VISIT["external_id"]
    )
    world.when(patch_visit(source="Kiosk")).then(changes={"source": ("Website", "Kiosk")})
    world.when(patch_visit(customer_id="c-2")).then_refused(Reason.IMMUTABLE_FIELD, "/patch/customer_id")
    assert refused("update-visit", visit_id="v1", patch={"location_id": "other"})[0] == "immutable_field"
