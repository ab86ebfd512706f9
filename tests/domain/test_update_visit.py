from datetime import timedelta
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.model import Reason
from tests.support.builders import NOW, act, hours, location, patch_visit, tags, visit
from tests.support.spec import given

DATE = "2030-05-01T12:00"
ORDER = {"amount": "99.50", "currency": "NOK"}
INFO = {"last_outgoing": {"channel": "EMAIL", "state": "PENDING"}, "last_incoming": {"channel": "SMS"}}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("external_id", "e-1"),
        ("external_customer_id", "x-1"),
        ("name", "John Doe"),
        ("first_name", "John"),
        ("last_name", ""),
        ("phone", "+4790090090"),
        ("email", "john@doe.example"),
        ("public_id", "p-1"),
        ("service_ids", ["s-1"]),
        ("resource_ids", []),
        ("data_fields", [{"id": "f-1", "values": []}]),
        ("wait_duration", 0),
        ("position", 1),
        ("date", DATE),
        ("duration", 0),
        ("source", "API"),
        ("locale", "nb-NO"),
        ("message_info", INFO),
        ("metadata", {"k": "v"}),
        ("order_value", ORDER),
        ("starts_at", hours(1)),
        ("ends_at", hours(1)),
    ],
)
def test_null_clears(member: str, value: Any) -> None:
    """Each nullable member is set and cleared, and the state stays where it is."""
    one = given(location(), visit()).when(patch_visit(**{member: value}))
    one.then(version=2, action=None, changes={member: (None, value)}, state="waiting")
    one.when(patch_visit(**{member: value})).then_nothing_happened()
    one.when(patch_visit(**{member: None})).then(version=3, changes={member: (value, None)})
    given(location(), visit()).when(patch_visit(**{member: None})).then_nothing_happened()


@pytest.mark.parametrize(
    ("member", "before", "patch", "after"),
    [
        ("metadata", {"a": "1", "b": "2"}, {"b": None, "c": "3"}, {"a": "1", "c": "3"}),
        ("metadata", None, {}, {}),
        ("metadata", None, {"a": None}, {}),
        ("order_value", ORDER, {"amount": "1"}, {"amount": "1", "currency": "NOK"}),
        ("message_info", INFO, {"last_incoming": None}, {"last_outgoing": INFO["last_outgoing"]}),
        (
            "message_info",
            INFO,
            {"last_outgoing": {"state": None, "channel": "SMS"}},
            {"last_outgoing": {"channel": "SMS"}, "last_incoming": {"channel": "SMS"}},
        ),
        ("message_info", None, {"last_outgoing": {"state": None}}, {"last_outgoing": {}}),
        ("data_fields", [{"id": "a", "values": ["x"]}], [{"id": "b", "values": []}], [{"id": "b", "values": []}]),
        ("tags", ["a"], ["b"], ["b"]),
        ("party_size", 2, 100, 100),
        ("is_block", False, True, True),
        ("policy_consent", True, False, False),
    ],
)
def test_objects_merge_and_lists_are_replaced(member: str, before: Any, patch: Any, after: Any) -> None:
    """Objects merge at every depth, null inside removes the key, lists take the place of what was there."""
    one = given(location(), visit(**{member: before}))
    one.when(patch_visit(**{member: patch})).then(version=2, changes={member: (before, after)})


def test_deltas_of_tags() -> None:
    """Replace, then add, then remove, then the limit of ten; tags of actions count with the others."""
    one = given(location(), visit(tags=tags(10)))
    one.when(patch_visit(tags=["x", "y"], add_tags=["z", "x"], remove_tags=["y"])).then(tags=["x", "z"])
    one.when(patch_visit(add_tags=["n"])).then_refused(Reason.INVALID_FIELD, "/patch/add_tags")
    one.when(patch_visit(add_tags=["n"], remove_tags=["t0"])).then(tags=[*tags(10)[1:], "n"])
    over = one.when(act("cancel", "v1")).then(tags=[*tags(10), "CANCELLED"])
    over.when(patch_visit(add_tags=["n"], remove_tags=["t0"])).then_refused(Reason.INVALID_FIELD, "/patch/add_tags")
    over.when(patch_visit(remove_tags=["CANCELLED"])).then(tags=tags(10))
    over.when(patch_visit(party_size=2)).then(version=3)


@pytest.mark.parametrize("customer", [{"customer": "c-1"}, {"customer": None, "customer_id": "c-1"}])
def test_the_customer_of_a_creation_stays(customer: dict[str, Any]) -> None:
    """A visit that was created with its customer keeps it, even for a patch that names the same one."""
    one = given(location(), visit(**customer))
    for actor in Actor:
        one.when(patch_visit(customer_id="c-2", party_size=2), actor=actor).then_refused(
            Reason.IMMUTABLE_FIELD, "/patch/customer_id"
        )
    one.when(patch_visit(customer_id="c-1")).then_refused(Reason.IMMUTABLE_FIELD, "/patch/customer_id")
    one.when(patch_visit(phone="+4790090090", external_customer_id="x")).then(customer_id="c-1")


@pytest.mark.parametrize(
    ("patch", "pointers"),
    [
        ({"ends_at": hours(1)}, ["/patch/ends_at"]),
        ({"starts_at": hours(3)}, ["/patch/ends_at"]),
        ({"metadata": {"new": "v"}}, ["/patch/metadata"]),
        ({"add_tags": ["n"]}, ["/patch/add_tags"]),
        (
            {"ends_at": hours(1), "metadata": {"new": "v"}, "add_tags": ["n"], "date": "2030-05-01T12:07"},
            ["/patch/ends_at", "/patch/metadata", "/patch/add_tags", "/patch/date"],
        ),
    ],
)
def test_limits_hold_on_the_merged_visit(patch: dict[str, Any], pointers: list[str]) -> None:
    """What is stored counts with what is given, and all that is wrong is told at once."""
    full = visit(starts_at=hours(2), ends_at=hours(3), metadata={f"k{n}": "v" for n in range(20)}, tags=tags(10))
    given(location(slot_minutes=15), full).when(patch_visit(**patch)).then_refused(Reason.INVALID_FIELD, *pointers)


@pytest.mark.parametrize(
    "patch",
    [
        {"ends_at": hours(2.001)},
        {"ends_at": None},
        {"starts_at": None},
        {"metadata": {"new": "v", "k0": None}},
        {"metadata": {"k0": "w"}},
        {"metadata": None},
        {"date": "2030-05-01T12:15"},
    ],
)
def test_the_merged_visit_may_reach_its_limits(patch: dict[str, Any]) -> None:
    """The last value that is allowed is allowed."""
    full = visit(starts_at=hours(2), ends_at=hours(3), metadata={f"k{n}": "v" for n in range(20)})
    given(location(slot_minutes=15), full).when(patch_visit(**patch)).then(version=2)


def test_an_external_id_is_unique_in_the_account() -> None:
    """Another visit's id is taken, one's own is not, and a visit that gives it up sets it free."""
    one = given(location(), visit("v1", external_id="e"), visit("v2"))
    one.when(patch_visit("v2", external_id="e")).then_refused(Reason.EXTERNAL_ID_TAKEN)
    one.when(patch_visit("v1", external_id="e")).then_nothing_happened()
    for value in (None, "other"):
        free = one.when(patch_visit("v1", external_id=value)).then(external_id=value)
        free.when(patch_visit("v2", external_id="e")).then(external_id="e").when(
            patch_visit("v1", external_id="e")
        ).then_refused(Reason.EXTERNAL_ID_TAKEN)
    over = given(location(), visit("v1", external_id="e"), act("cancel", "v1"), visit("v2"))
    over.when(patch_visit("v2", external_id="e")).then_refused(Reason.EXTERNAL_ID_TAKEN)


@pytest.mark.parametrize(
    ("first", "wanted", "action", "state"),
    [
        ({}, "SERVING", "serve", "serving"),
        ({}, "complete", "complete", "complete"),
        ({"date": DATE}, "Waiting", "wait", "waiting"),
        ({"date": DATE}, "serving", "serve", "serving"),
    ],
)
def test_a_state_in_a_patch_is_a_move(first: dict[str, Any], wanted: str, action: str, state: str) -> None:
    """Move and members are one change with one version."""
    old = "booked" if first else "waiting"
    given(location(), visit(**first)).when(patch_visit(state=wanted, party_size=3)).then(
        version=2,
        action=action,
        from_state=old,
        changes={"state": (old, state), "party_size": (1, 3)},
    )


@pytest.mark.parametrize("actor", list(Actor))
def test_a_state_that_it_is_in_is_no_move(actor: Actor) -> None:
    """Asking for the present state changes the other members alone, or nothing."""
    one = given(location(), visit())
    one.when(patch_visit(state="Waiting"), actor=actor).then_nothing_happened()
    one.when(patch_visit(state="waiting", party_size=2), actor=actor).then(action=None, changes={"party_size": (1, 2)})


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("booked", Reason.ACTION_NOT_AVAILABLE),
        ("draft", Reason.ACTION_NOT_AVAILABLE),
        ("pending", Reason.ACTION_NOT_AVAILABLE),
        ("seated", Reason.UNKNOWN_ACTION),
        ("", Reason.UNKNOWN_ACTION),
    ],
)
def test_a_state_out_of_reach_refuses_the_whole_patch(wanted: str, reason: Reason) -> None:
    """A move that is not legal comes before values that are wrong, and nothing of the patch is kept."""
    one = given(location(slot_minutes=15), visit())
    one.when(patch_visit(state=wanted, party_size=3)).then_refused(reason)
    one.when(patch_visit(state=wanted, date="2030-05-01T12:07")).then_refused(reason)


def test_restore_goes_where_the_patched_date_says() -> None:
    """The move sees the members of its own patch."""
    over = given(location(), visit(), act("complete", "v1"))
    over.when(patch_visit(state="booked")).then_refused(Reason.ACTION_NOT_AVAILABLE)
    over.when(patch_visit(state="booked", date=DATE)).then(action="restore", state="booked", date=DATE)
    over.when(patch_visit(state="waiting", date=DATE)).then_refused(Reason.ACTION_NOT_AVAILABLE)
    over.when(patch_visit(state="waiting")).then(action="restore", state="waiting")


def test_a_date_alone_moves_nothing() -> None:
    """Giving or taking a date leaves the state."""
    one = given(location(booking_hold=True), visit()).when(patch_visit(date=DATE)).then(state="waiting", action=None)
    one.when(patch_visit(date=None)).then(state="waiting", action=None)


def test_what_is_not_there_can_not_be_updated() -> None:
    """An unknown visit is not found; a booking of that id is no visit."""
    given(location()).when(patch_visit(party_size=2), expected_version=3).then_refused(Reason.VISIT_NOT_FOUND)


@pytest.mark.parametrize(("expected", "fine"), [(1, False), (2, True), (3, False)])
def test_an_expected_version_must_be_the_current_one(expected: int, fine: bool) -> None:  # noqa: FBT001
    """The version is looked at before the immutable customer."""
    one = given(location(), visit(), act("serve", "v1"))
    when = one.when(patch_visit(customer_id="c-2"), expected_version=expected)
    if fine:
        when.then_refused(Reason.IMMUTABLE_FIELD, "/patch/customer_id")
    else:
        when.then_refused(Reason.VERSION_CONFLICT)


def test_time_never_goes_back() -> None:
    """A change that the broker took earlier than the last one bears the time of the last one."""
    one = given(location(), visit()).when(patch_visit(party_size=2), now=NOW + timedelta(seconds=1))
    one.when(patch_visit(party_size=3), now=NOW).then(updated_at="2030-01-01T12:00:01Z")


def test_the_options_in_force_are_told() -> None:
    """A change carries the options that it was made with."""
    options = {"silent": True, "slot_granularity": "fine"}
    given(location(), visit()).when(patch_visit(options=options, party_size=2)).then(options=options)
