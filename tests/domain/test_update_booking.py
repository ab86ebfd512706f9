from datetime import timedelta
from typing import Any

import pytest

from service.domain.actor import Actor
from service.domain.model import Reason
from tests.support.builders import NOW, act, booking, hours, location, tags, update
from tests.support.spec import given

GUEST = {"first_name": "John", "last_name": "Doe"}
FEE = {"amount_pre_authorized": "500", "amount_to_capture": "250"}


def test_a_patch_changes_what_it_names_and_keeps_the_rest() -> None:
    """An update without a move has no action and the same state before and after."""
    given(location(), booking(notes="old", comment="kept")).when(update(notes="new", options={"silent": True})).then(
        version=2,
        action=None,
        from_state="registered",
        state="registered",
        changes={"notes": ("old", "new")},
        comment="kept",
        options={"silent": True},
        inputs=None,
        replicated_from=None,
    )


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("service_id", "s-1"),
        ("provider_id", "p-1"),
        ("customer_id", "c-1"),
        ("resource_id", "t-1"),
        ("price", "0"),
        ("notes", ""),
        ("guest", GUEST),
        ("comment", "x"),
        ("ext_reference_id", "x"),
        ("ext_reference_number", "x"),
        ("scenario_name", "x"),
        ("no_show_fee", FEE),
        ("time_slot_id", "x"),
    ],
)
def test_null_clears(member: str, value: Any) -> None:
    """Each nullable member is set and cleared."""
    one = given(location(), booking()).when(update(**{member: value})).then(changes={member: (None, value)})
    one.when(update(**{member: None})).then(version=3, changes={member: (value, None)})
    given(location(), booking()).when(update(**{member: None})).then_nothing_happened()


@pytest.mark.parametrize(
    ("member", "before", "patch", "after"),
    [
        ("guest", GUEST, {"last_name": None, "phone": "1"}, {"first_name": "John", "phone": "1"}),
        ("guest", GUEST, {"first_name": None, "last_name": None}, {}),
        ("guest", None, {"first_name": "Jo"}, {"first_name": "Jo"}),
        ("guest", None, {"first_name": None}, {}),
        ("guest", None, {}, {}),
        ("ext_properties", {"a": "1", "b": "2"}, {"b": None, "c": "3"}, {"a": "1", "c": "3"}),
        ("ext_properties", {"a": "1"}, {"a": ""}, {"a": ""}),
        ("no_show_fee", FEE, {"amount_to_capture": None}, {"amount_pre_authorized": "500"}),
        ("no_show_fee", FEE, {"amount_to_capture": "500"}, {**FEE, "amount_to_capture": "500"}),
        ("types", ["a", "b"], ["c"], ["c"]),
        ("types", ["a"], [], []),
        ("tags", ["a", "b"], ["b", "a"], ["b", "a"]),
        ("price", "5", "5.0", "5.0"),
        ("starts_at", hours(24), hours(25), hours(25)),
    ],
)
def test_objects_merge_and_lists_are_replaced(member: str, before: Any, patch: Any, after: Any) -> None:
    """Nested objects merge, null inside removes the key, all else takes the place of what was there."""
    one = given(location(), booking(**{member: before}))
    one.when(update(**{member: patch})).then(version=2, changes={member: (before, after)})


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"notes": "same"},
        {"guest": {"first_name": "John"}},
        {"guest": {}},
        {"guest": {"phone": None}},
        {"ext_properties": {"nope": None}},
        {"tags": ["a", "b"]},
        {"add_tags": ["a"]},
        {"remove_tags": ["z"]},
        {"add_tags": ["z"], "remove_tags": ["z"]},
        {"tags": [], "add_tags": ["a", "b"]},
        {"add_tags": [], "remove_tags": []},
        {"resource_id": None},
        {"starts_at": hours(24)},
        {"location_id": "oslo"},
        {"guest_count": 1},
    ],
)
def test_a_patch_that_changes_nothing_is_accepted(patch: dict[str, Any]) -> None:
    """What is so already bumps nothing."""
    one = given(location(), booking(notes="same", guest=GUEST, tags=["a", "b"], ext_properties={"k": "v"}))
    one.when(update(**patch)).then_nothing_happened()


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        ({"add_tags": ["late"]}, ["vip", "old", "late"]),
        ({"add_tags": ["late", "late"]}, ["vip", "old", "late"]),
        ({"remove_tags": ["vip", "old"]}, []),
        ({"add_tags": ["late"], "remove_tags": ["vip"]}, ["old", "late"]),
        ({"add_tags": ["x"], "remove_tags": ["x", "vip"]}, ["old"]),
        ({"tags": ["x", "y"], "add_tags": ["z"], "remove_tags": ["x"]}, ["y", "z"]),
        ({"tags": [], "add_tags": ["old"]}, ["old"]),
        ({"tags": ["x"], "remove_tags": ["vip"]}, ["x"]),
    ],
)
def test_tags_are_replaced_then_added_then_removed(patch: dict[str, Any], after: list[str]) -> None:
    """Deltas work on the list that the same patch gives, or else on the stored one."""
    given(location(), booking(tags=["vip", "old"])).when(update(**patch)).then(
        changes={"tags": (["vip", "old"], after)}
    )


@pytest.mark.parametrize(
    ("stored", "patch", "fine"),
    [
        (9, {"add_tags": ["n1"]}, True),
        (9, {"add_tags": ["n1", "n2"]}, False),
        (9, {"add_tags": ["n1", "n2"], "remove_tags": ["t0"]}, True),
        (10, {"add_tags": ["n1"], "remove_tags": ["n1", "t0"]}, True),
        (10, {"add_tags": ["t0", "t9"], "remove_tags": ["t1"]}, True),
        (10, {"add_tags": ["n1"]}, False),
        (10, {"tags": ["x"], "add_tags": tags(9, "n")}, True),
        (10, {"tags": ["x"], "add_tags": tags(10, "n")}, False),
    ],
)
def test_ten_tags_are_the_limit_of_the_result(stored: int, patch: dict[str, Any], fine: bool) -> None:  # noqa: FBT001
    """The limit holds on what is left after adding and removing."""
    when = given(location(), booking(tags=tags(stored))).when(update(**patch))
    if fine:
        when.then(version=2)
    else:
        when.then_refused(Reason.INVALID_FIELD, "/patch/add_tags")


@pytest.mark.parametrize(
    ("patch", "pointers"),
    [
        ({"starts_at": hours(26)}, ["ends_at"]),
        ({"ends_at": hours(24)}, ["ends_at"]),
        ({"ends_at": hours(24 + 366 * 24 + 1)}, ["ends_at"]),
        ({"starts_at": hours(50), "ends_at": hours(49)}, ["ends_at"]),
        ({"no_show_fee": {"amount_to_capture": "500.01"}}, ["no_show_fee/amount_to_capture"]),
        ({"no_show_fee": {"amount_pre_authorized": "249"}}, ["no_show_fee/amount_to_capture"]),
        ({"ext_properties": {"new": "v"}}, ["ext_properties"]),
        ({"status_id": "nope"}, ["status_id"]),
        (
            {
                "ends_at": hours(24),
                "no_show_fee": {"amount_to_capture": "501"},
                "ext_properties": {"new": "v"},
                "add_tags": ["n"],
                "status_id": "nope",
            },
            ["ends_at", "no_show_fee/amount_to_capture", "ext_properties", "add_tags", "status_id"],
        ),
    ],
)
def test_limits_hold_on_the_merged_booking(patch: dict[str, Any], pointers: list[str]) -> None:
    """What is stored counts with what is given, and all that is wrong is told at once."""
    full = booking(no_show_fee=FEE, ext_properties={f"k{n}": "v" for n in range(20)}, tags=tags(10))
    one = given(location(), full)
    one.when(update(**patch)).then_refused(Reason.INVALID_FIELD, *(f"/patch/{pointer}" for pointer in pointers))
    one.when(update(**patch), actor=Actor.INTERNAL).then_refused(
        Reason.INVALID_FIELD, *(f"/patch/{pointer}" for pointer in pointers)
    )


@pytest.mark.parametrize(
    "patch",
    [
        {"starts_at": hours(25.999)},
        {"ends_at": hours(24 + 366 * 24)},
        {"starts_at": hours(48), "ends_at": hours(49)},
        {"no_show_fee": {"amount_to_capture": "500"}},
        {"no_show_fee": {"amount_pre_authorized": None, "amount_to_capture": "9999"}},
        {"ext_properties": {"new": "v", "k0": None}},
        {"ext_properties": {"k0": "other"}},
    ],
)
def test_the_merged_booking_may_reach_its_limits(patch: dict[str, Any]) -> None:
    """The last value that is allowed is allowed."""
    full = booking(no_show_fee=FEE, ext_properties={f"k{n}": "v" for n in range(20)}, tags=tags(10))
    given(location(), full).when(update(**patch)).then(version=2)


def test_a_booking_moves_to_another_location() -> None:
    """The new location must be there; the booking's own comes first."""
    one = given(location(), location("bergen"), booking())
    one.when(update(location_id="bergen")).then(changes={"location_id": ("oslo", "bergen")})
    one.when(update(location_id="nowhere"), expected_version=9).then_refused(Reason.LOCATION_NOT_FOUND)
    one.when(update("b2", location_id="nowhere")).then_refused(Reason.BOOKING_NOT_FOUND)


def test_what_is_not_there_can_not_be_updated() -> None:
    """An id that is unknown is not found, whatever version is expected."""
    given(location()).when(update(notes="x"), expected_version=1).then_refused(Reason.BOOKING_NOT_FOUND)
    given(location()).when(update(ends_at=hours(0))).then_refused(Reason.BOOKING_NOT_FOUND)


@pytest.mark.parametrize(("expected", "fine"), [(1, False), (2, True), (3, False)])
def test_an_expected_version_must_be_the_current_one(expected: int, fine: bool) -> None:  # noqa: FBT001
    """Neither an older nor a newer version is expected with success, not even for a patch that changes nothing."""
    one = given(location(), booking(), act("confirm"))
    patches: list[dict[str, Any]] = [{"notes": "x"}, {}]
    for patch in patches:
        when = one.when(update(**patch), expected_version=expected)
        if not fine:
            when.then_refused(Reason.VERSION_CONFLICT)
        elif patch:
            when.then(version=3)
        else:
            when.then_nothing_happened()


def test_time_never_goes_back() -> None:
    """A change that the broker took earlier than the last one bears the time of the last one."""
    earlier, later = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    one = given(location(), booking()).when(update(notes="a"), now=later).then(updated_at="2030-01-01T13:00:00Z")
    two = one.when(update(notes="b"), now=earlier).then(updated_at="2030-01-01T13:00:00Z")
    assert two.snapshot["created_at"] == "2030-01-01T12:00:00Z"
