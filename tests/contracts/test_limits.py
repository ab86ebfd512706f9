from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from schemas import COMMANDS, problems
from schemas.booking import BookingMembers, BookingPatch
from schemas.location import LocationSettings
from schemas.visit import VisitMembers, VisitPatch
from tests.contracts.catalogue import committed

WINDOW = {"starts_at": "2026-12-24T18:00:00Z", "ends_at": "2026-12-24T20:00:00Z"}
BASES: dict[str, dict[str, Any]] = {
    "create-booking": {"account_id": "a", "booking_id": "b", "location_id": "l", "booking": WINDOW},
    "update-booking": {"account_id": "a", "booking_id": "b", "patch": {}},
    "create-visit": {"account_id": "a", "visit_id": "v", "location_id": "l", "visit": {}},
    "update-visit": {"account_id": "a", "visit_id": "v", "patch": {}},
    "state-action": {"account_id": "a", "booking_id": "b", "action": "cancel"},
    "configure-location": {"account_id": "a", "location_id": "l", "settings": {}},
}
BIGGEST = 2**63 - 1


def _texts(count: int) -> list[str]:
    return [f"t{number}" for number in range(count)]


def _keys(count: int) -> dict[str, str]:
    return dict.fromkeys(_texts(count), "v")


def _text(length: int) -> str:
    return "ø" * length


BOOKING: list[tuple[str, Any, Any]] = [
    ("notes", _text(2000), _text(2001)),
    ("comment", _text(2000), _text(2001)),
    ("guest/first_name", _text(200), _text(201)),
    ("guest/last_name", _text(200), _text(201)),
    ("guest/phone", _text(500), _text(501)),
    ("guest/email", _text(500), _text(501)),
    ("scenario_name", _text(200), _text(201)),
    ("ext_reference_id", _text(200), _text(201)),
    ("ext_reference_number", _text(200), _text(201)),
    ("time_slot_id", _text(500), _text(501)),
    ("guest_count", 1, 0),
    ("guest_count", 10_000, 10_001),
    ("tags", _texts(10), _texts(11)),
    ("tags/0", _text(64), _text(65)),
    ("types", _texts(10), _texts(11)),
    ("types/0", _text(500), _text(501)),
    ("ext_properties", _keys(20), _keys(21)),
    ("ext_properties/k", _text(500), _text(501)),
    ("price", "0", "-1"),
    ("price", "0.0001", "0.00001"),
    ("price", "9" * 30, "9" * 31),
    ("no_show_fee/amount_to_capture", "0.0000", "00.5"),
    ("no_show_fee/amount_pre_authorized", "1.5", "1."),
    ("service_id", "s" * 64, "s" * 65),
    ("provider_id", "A-z0.9_:", ""),
    ("customer_id", 12345678901, 1.0),
    ("resource_id", -1, True),
    ("status_id", 10**64 - 1, 10**64),
]
VISIT: list[tuple[str, Any, Any]] = [
    ("party_size", 1, 0),
    ("party_size", 100, 101),
    ("duration", 0, -1),
    ("duration", 86_400, 86_401),
    ("wait_duration", 0, -1),
    ("wait_duration", BIGGEST, BIGGEST + 1),
    ("position", 1, 0),
    ("position", BIGGEST, BIGGEST + 1),
    ("tags", _texts(10), _texts(11)),
    ("tags/0", _text(64), _text(65)),
    ("metadata", _keys(20), _keys(21)),
    ("metadata/k", _text(500), _text(501)),
    ("phone", "+123456789012345", "+1234567890123456"),
    ("phone", "+12", "+1"),
    ("phone", "+4790090090", "+0790090090"),
    ("phone", "+4790090090", "+47 90090090"),
    ("phone", "+4790090090", "+٤٧٩٠٠٩٠٠٩٠"),
    ("email", "john@doe.example", "john"),
    ("email", "jøhn.doe+x@xn--de-lka.example", "john@doe"),
    ("email", "a@b.cd", "a@@b.cd"),
    ("email", "x" * 64 + "@doe.example", "x" * 65 + "@doe.example"),
    ("email", "a@b.cd", "a b@c.de"),
    ("email", "a@b.cd", "a@-b.cd"),
    ("email", "a@" + "b." * 125 + "cd", "a@" + "b." * 125 + "cde"),
    ("locale", "nb-NO", "nb"),
    ("locale", "en-US", "en_US"),
    ("locale", "en-US", "EN-us"),
    ("date", "2028-02-29T00:00", "2027-02-29T00:00"),
    ("date", "2026-05-01T23:59", "2026-05-01T24:00"),
    ("date", "2026-05-01T12:00", "2026-05-01T12:00:00"),
    ("date", "2026-05-01T12:00", "2026-05-01 12:00"),
    ("source", _text(500), _text(501)),
    ("name", _text(500), _text(501)),
    ("notes", _text(500), _text(501)),
    ("service_ids", _texts(100), _texts(101)),
    ("resource_ids", _texts(100), _texts(101)),
    ("services", _keys(100), _keys(101)),
    ("services/s", 1.5, {}),
    ("services/s", _text(500), _text(501)),
    ("fields", _keys(100), _keys(101)),
    ("fields/f", _texts(100), _texts(101)),
    ("fields/f", _text(500), 1),
    ("data_fields", [{"id": "f", "values": []}] * 100, [{"id": "f", "values": []}] * 101),
    ("order_value/amount", "450", 450),
    ("order_value/currency", "NOK", "kr"),
    ("external_id", "e" * 64, "e" * 65),
    ("message_info/last_outgoing/channel", _text(500), _text(501)),
    ("is_block", True, "true"),
    ("policy_consent", False, 0),
]
DELTAS: list[tuple[str, Any, Any]] = [
    ("add_tags", _texts(10), _texts(11)),
    ("remove_tags", _texts(10), _texts(11)),
    ("add_tags/0", _text(64), _text(65)),
    ("remove_tags/0", _text(64), _text(65)),
]
LOCATION: list[tuple[str, Any, Any]] = [
    ("timezone", "Europe/Oslo", "europe/oslo"),
    ("timezone", "UTC", ""),
    ("customer_policy/before_edit_minutes", 0, -1),
    ("customer_policy/max_changes", 0, -1),
    ("max_customer_visits", 0, -1),
    ("slot_minutes", 1, 0),
    ("slot_minutes", 1440, 1441),
    ("default_graph", _text(64), _text(65)),
    ("statuses", [{"id": n, "internal_name": "x", "name": ""} for n in range(100)], [{}] * 101),
]
COMMON: list[tuple[str, Any, Any]] = [
    ("expected_version", 1, 0),
    ("expected_version", BIGGEST, BIGGEST + 1),
    ("validate_only", True, "true"),
    ("reason", _text(500), _text(501)),
    ("account_id", "a" * 64, "a" * 65),
]
ACTION: list[tuple[str, Any, Any]] = [
    ("inputs", _keys(20), _keys(21)),
    ("link", "x" * 300, "x" * 301),
    ("action", _text(64), _text(65)),
    ("on_sibling_refusal", "abort", "ABORT"),
    ("apply_to_bulked_bookings", False, None),
]


def _rows() -> list[tuple[str, str, Any, Any]]:
    rows = [("create-booking", f"booking/{path}", good, bad) for path, good, bad in BOOKING]
    rows += [("update-booking", f"patch/{path}", good, bad) for path, good, bad in BOOKING + DELTAS]
    rows += [("create-visit", f"visit/{path}", good, bad) for path, good, bad in VISIT]
    rows += [("update-visit", f"patch/{path}", good, bad) for path, good, bad in VISIT + DELTAS]
    rows += [("configure-location", f"settings/{path}", good, bad) for path, good, bad in LOCATION]
    rows += [(kind, path, good, bad) for kind in BASES for path, good, bad in COMMON]
    return rows + [("state-action", path, good, bad) for path, good, bad in ACTION]


def _with(kind: str, path: str, value: object) -> dict[str, Any]:
    """Puts a value at a path of a valid command; a numbered step makes a list."""
    steps = path.split("/")
    for step in reversed(steps[1:]):
        value = [value] if step == "0" else {step: value}
    base = dict(BASES[kind])
    if isinstance(value, dict) and isinstance(base.get(steps[0]), dict):
        value = base[steps[0]] | value
    return base | {steps[0]: value}


@pytest.mark.parametrize(("kind", "path", "good", "bad"), _rows())
def test_both_sides_of_a_limit(kind: str, path: str, good: object, bad: object) -> None:
    """A value at its limit is taken, one past it is refused with its own pointer and no other."""
    COMMANDS[kind].model_validate(_with(kind, path, good))
    with pytest.raises(ValidationError) as caught:
        COMMANDS[kind].model_validate(_with(kind, path, bad))
    detail, found = problems(caught.value, kind)
    assert [place for place, _ in found] == [f"/{path}"]
    assert detail == "invalid_field"


def _beyond_json_schema(kind: str, path: str, bad: object) -> bool:
    """Tells what JSON Schema cannot: 1.0 is an integer to it, and of a patch it does not count what is not null."""
    in_patch_of_map = kind.startswith("update") and path.endswith(("ext_properties", "metadata"))
    return in_patch_of_map or str(bad) in ("1.0", str(10**64), "2027-02-29T00:00", "europe/oslo")


@pytest.mark.parametrize(("kind", "path", "good", "bad"), _rows())
def test_json_schema_has_the_same_limits(kind: str, path: str, good: object, bad: object) -> None:
    """Who checks with the committed JSON Schema gets the same answer wherever it can give one."""
    validator = jsonschema.Draft202012Validator(committed(kind))
    assert validator.is_valid(_with(kind, path, good))
    assert validator.is_valid(_with(kind, path, bad)) is _beyond_json_schema(kind, path, bad)


@pytest.mark.parametrize(("kind", "path"), [("update-booking", "ext_properties"), ("update-visit", "metadata")])
def test_removals_do_not_count_as_keys(kind: str, path: str) -> None:
    """A patch of a map may remove many keys while it sets at most twenty."""
    removed = {f"old{number}": None for number in range(80)}
    COMMANDS[kind].model_validate(_with(kind, f"patch/{path}", _keys(20) | removed))
    for wrong in (_keys(21) | {"old": None}, _keys(20) | removed | {"one-more": None}):
        with pytest.raises(ValidationError) as caught:
            COMMANDS[kind].model_validate(_with(kind, f"patch/{path}", wrong))
        assert [place for place, _ in problems(caught.value, kind)[1]] == [f"/patch/{path}"]


@pytest.mark.parametrize(
    ("kind", "path"), [("create-booking", "booking/ext_properties"), ("update-visit", "patch/metadata")]
)
def test_keys_of_a_map_have_1_to_40_characters(kind: str, path: str) -> None:
    """A key is refused by its own pointer, unless no text can hold it, and is not mistaken for the mark of a key."""
    COMMANDS[kind].model_validate(_with(kind, path, {"ø" * 40: "v", "k": "v", "[key]": "v"}))
    for wrong in ("ø" * 41, "", "a\x07"):
        with pytest.raises(ValidationError) as caught:
            COMMANDS[kind].model_validate(_with(kind, path, {wrong: "v"}))
        expected = f"/{path}/{wrong}" if wrong.isprintable() else f"/{path}"
        assert [place for place, _ in problems(caught.value, kind)[1]] == [expected]
    with pytest.raises(ValidationError) as caught:
        COMMANDS[kind].model_validate(_with(kind, path, {"[key]": 1}))
    assert [place for place, _ in problems(caught.value, kind)[1]] == [f"/{path}/[key]"]


NULLABLE_BOOKING = {"service_id", "provider_id", "customer_id", "resource_id", "status_id", "price", "notes", "guest"}
NULLABLE_BOOKING |= {
    "comment",
    "ext_reference_id",
    "ext_reference_number",
    "scenario_name",
    "no_show_fee",
    "time_slot_id",
}
FIRM_BOOKING = {"starts_at", "ends_at", "guest_count", "tags", "types", "ext_properties"}
FIRM_VISIT = {"party_size", "state", "tags", "is_block", "policy_consent", "customer_id"}


def _nulls() -> list[tuple[str, str, bool]]:
    members = {
        ("create-booking", "booking"): (set(BookingMembers.__annotations__), FIRM_BOOKING),
        ("update-booking", "patch"): (
            set(BookingPatch.__annotations__),
            FIRM_BOOKING | {"location_id", "add_tags", "remove_tags"},
        ),
        ("create-visit", "visit"): (set(VisitMembers.__annotations__), FIRM_VISIT),
        ("update-visit", "patch"): (set(VisitPatch.__annotations__), FIRM_VISIT | {"add_tags", "remove_tags"}),
        ("configure-location", "settings"): (set(LocationSettings.__annotations__), set[str]()),
    }
    return [
        (kind, f"{part}/{name}", name not in firm)
        for (kind, part), (names, firm) in members.items()
        for name in sorted(names)
    ]


def test_nullable_members_of_a_booking_are_those_of_the_contract() -> None:
    """A member that is new decides whether it is nullable here."""
    assert set(BookingMembers.__annotations__) == NULLABLE_BOOKING | FIRM_BOOKING


@pytest.mark.parametrize(("kind", "name", "nullable"), _nulls())
def test_null_is_for_nullable_members(kind: str, name: str, nullable: bool) -> None:  # noqa: FBT001
    """Null is kept where a member is nullable and refused with its pointer elsewhere."""
    command = _with(kind, name, None)
    if nullable:
        part, member = name.split("/")
        assert COMMANDS[kind].model_validate(command).model_dump(exclude_unset=True)[part][member] is None
        return
    with pytest.raises(ValidationError) as caught:
        COMMANDS[kind].model_validate(command)
    assert [place for place, _ in problems(caught.value, kind)[1]] == [f"/{name}"]
