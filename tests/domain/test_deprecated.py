from typing import Any

import pytest

from tests.support.builders import location, patch_visit, visit
from tests.support.spec import given

MAPPED: list[tuple[str, Any, str, Any]] = [
    ("notes", "allergic", "customer", {"notes": "allergic"}),
    ("notes", "", "customer", {"notes": ""}),
    ("services", {"s-1": 1, "s-2": None}, "service_ids", ["s-1", "s-2"]),
    ("services", {}, "service_ids", []),
    ("resources", {"r-1": True}, "resource_ids", ["r-1"]),
    ("fields", {"f-1": "blue", "f-2": ["a", "b"]}, "data_fields", "see below"),
    ("fields", {}, "data_fields", []),
]
FIELDS = [{"id": "f-1", "values": ["blue"]}, {"id": "f-2", "values": ["a", "b"]}]


@pytest.mark.parametrize(("old", "value", "new", "expected"), MAPPED)
def test_deprecated_members_become_their_successors(old: str, value: Any, new: str, expected: Any) -> None:
    """They are mapped and reported, in creations and patches, and null clears the successor."""
    after: Any = FIELDS if expected == "see below" else expected
    created = given(location()).when(visit(**{old: value})).then(**{new: after})
    assert created.accepted.deprecated == (old,)
    assert old not in (set(created.snapshot) - {new})
    patched = given(location(), visit()).when(patch_visit(**{old: value})).then(changes={new: (None, after)})
    assert patched.accepted.deprecated == (old,)
    same = patched.when(patch_visit(**{old: value})).then_nothing_happened()
    assert same.accepted.deprecated == (old,)
    cleared = patched.when(patch_visit(**{old: None})).then(changes={new: (after, None)})
    assert cleared.accepted.deprecated == (old,)


def test_several_are_reported_in_the_order_of_the_contract() -> None:
    """Each is told once."""
    patch = patch_visit(fields={"f": "x"}, services={"s": 1}, notes="n", resources={"r": 1})
    patched = given(location(), visit()).when(patch)
    assert patched.accepted.deprecated == ("notes", "services", "resources", "fields")
    assert given(location()).when(visit(party_size=2)).accepted.deprecated == ()


def test_a_successor_comes_before_its_deprecated_member() -> None:
    """Where both are given the newer name counts."""
    one = given(location(), visit())
    for patch in (patch_visit(services={"s-1": 1}, service_ids=["s-2"]), patch_visit(service_ids=["s-2"], services={})):
        assert one.when(patch).then(service_ids=["s-2"]).accepted.deprecated == ("services",)
