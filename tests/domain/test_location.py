from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.model import Reason
from tests.support.builders import location
from tests.support.spec import given

POLICY = {"can_edit": True, "can_cancel": True, "before_edit_minutes": 0, "max_changes": None}
DEFAULTS: dict[str, Any] = {
    "timezone": "UTC",
    "default_graph": "venue",
    "customer_policy": POLICY,
    "booking_allow_overbooking": True,
    "max_customer_visits": None,
    "booking_approval": False,
    "booking_hold": False,
    "action_links": False,
    "slot_minutes": None,
    "statuses": [],
}
OTHERS: dict[str, Any] = {
    "timezone": "Europe/Oslo",
    "default_graph": "instant",
    "customer_policy": {"can_edit": False, "can_cancel": False, "before_edit_minutes": 180, "max_changes": 0},
    "booking_allow_overbooking": False,
    "max_customer_visits": 0,
    "booking_approval": True,
    "booking_hold": True,
    "action_links": True,
    "slot_minutes": 15,
    "statuses": [{"id": "1", "internal_name": "confirmed", "name": "Confirmed"}],
}


def test_a_location_begins_with_the_defaults() -> None:
    """Settings that were never given have their defaults."""
    given().when(location(), actor=Actor.INTERNAL).then(version=1, action="create", **DEFAULTS)
    given().when(location(timezone=None), actor=Actor.INTERNAL).then(version=1, **DEFAULTS)


@pytest.mark.parametrize("name", list(OTHERS))
def test_null_goes_back_to_the_default(name: str) -> None:
    """Each setting is set alone, set again in vain, and set back by null."""
    one = (
        given(location())
        .when(location(**{name: OTHERS[name]}))
        .then(version=2, changes={name: (DEFAULTS[name], OTHERS[name])})
    )
    cleared: dict[str, Any] = {name: None}
    same = one.when(location(**{name: OTHERS[name]})).then_nothing_happened()
    same.when(location(**cleared)).then(version=3, changes={name: (OTHERS[name], DEFAULTS[name])})
    given(location()).when(location(**cleared)).then_nothing_happened()


@pytest.mark.parametrize("name", list(POLICY))
def test_the_policy_merges_member_by_member(name: str) -> None:
    """Inside the customer policy null is the default of that member, and the others stay."""
    strict = OTHERS["customer_policy"]
    one = given(location(customer_policy=strict))
    one.when(location(customer_policy={name: None})).then(customer_policy={**strict, name: POLICY[name]})
    free = given(location())
    free.when(location(customer_policy={name: strict[name]})).then(customer_policy={**POLICY, name: strict[name]})
    free.when(location(customer_policy={})).then_nothing_happened()


def test_a_list_of_statuses_is_replaced_whole() -> None:
    """Lists are replaced."""
    other = [{"id": "2", "internal_name": "attended", "name": "There"}]
    one = given(location(statuses=OTHERS["statuses"]))
    one.when(location(statuses=other)).then(changes={"statuses": (OTHERS["statuses"], other)})
    one.when(location(statuses=[])).then(statuses=[])


@pytest.mark.parametrize("graph", ["waitlist", "nope", "", "VENUE"])
def test_the_default_graph_is_one_of_bookings(graph: str) -> None:
    """A graph that bookings can't follow is no default."""
    wrong = location(default_graph=graph, booking_hold=True)
    given().when(wrong).then_refused(Reason.INVALID_FIELD, "/settings/default_graph")
    given(location()).when(wrong, expected_version=9).then_refused(Reason.INVALID_FIELD, "/settings/default_graph")


def test_a_location_has_versions_too() -> None:
    """The version that is expected must be the current one, and there is none before the first."""
    given().when(location(), expected_version=1).then_refused(Reason.VERSION_CONFLICT)
    one = given(location())
    one.when(location(timezone="Asia/Tokyo"), expected_version=1).then(version=2)
    one.when(location(timezone="Asia/Tokyo"), expected_version=2).then_refused(Reason.VERSION_CONFLICT)


def test_settings_do_not_leak_from_one_location_to_another() -> None:
    """Every location has settings of its own."""
    one = given(location(**OTHERS)).when(location("bergen")).then(version=1, **DEFAULTS)
    assert one.after.aggregates["location", "oslo"].snapshot["timezone"] == "Europe/Oslo"
