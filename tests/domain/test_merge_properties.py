from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.domain.merge import apply_tag_deltas, merge, merge_object, too_many_tags
from tests.support.strategies import tag_lists

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
NAMES = st.sampled_from(["a", "b", "c", "d"])
OBJECTS = st.dictionaries(
    NAMES, LEAVES | st.dictionaries(NAMES, LEAVES | st.dictionaries(NAMES, LEAVES, max_size=2), max_size=3), max_size=4
)


def rfc7396(target: Any, patch: Any) -> Any:
    """The algorithm of RFC 7396, section 2, as it stands there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = rfc7396(result.get(name), value)
    return result


def without_nulls(value: Any) -> Any:
    """A document as it is stored: objects hold no nulls."""
    return rfc7396({}, value)


@given(OBJECTS.map(without_nulls) | st.none(), OBJECTS)
def test_objects_merge_as_rfc_7396_says(old: Any, patch: dict[str, Any]) -> None:
    """The merge of an object is the one of the standard, at every depth."""
    assert merge_object(old, patch) == rfc7396(old, patch)


@given(OBJECTS.map(without_nulls), OBJECTS)
def test_a_merge_patch_applied_twice_is_applied_once(old: Any, patch: dict[str, Any]) -> None:
    """Merging is idempotent, and leaves what it merges alone."""
    once = merge_object(old, patch)
    assert merge_object(once, patch) == once
    assert merge_object(old, {}) == old
    assert old == without_nulls(old)


@given(
    st.fixed_dictionaries({name: OBJECTS.map(without_nulls) | st.none() for name in "abcd"}),
    st.fixed_dictionaries({}, optional={"a": OBJECTS | st.none(), "b": OBJECTS | st.none(), "c": LEAVES, "d": OBJECTS}),
)
def test_members_are_merged_or_replaced(old: dict[str, Any], patch: dict[str, Any]) -> None:
    """Only what the patch names comes out; null stands for null, and other members than objects are replaced."""
    merged = merge(old, patch, {"a", "b"})
    assert merged.keys() == patch.keys()
    for name, value in patch.items():
        mergeable = name in ("a", "b") and isinstance(value, dict)
        assert merged[name] == (rfc7396(old[name], value) if mergeable else value)


@given(tag_lists, tag_lists, tag_lists)
def test_tags_are_a_set_that_keeps_its_order(tags: list[str], add: list[str], remove: list[str]) -> None:
    """Deltas are union, then difference; what was there stays in front, in its order."""
    result = apply_tag_deltas(tags, add, remove)
    assert set(result) == (set(tags) | set(add)) - set(remove)
    stayed = [tag for tag in tags if tag not in remove]
    assert result[: len(stayed)] == stayed
    fresh = list(dict.fromkeys(tag for tag in add if tag not in tags and tag not in remove))
    assert result[len(stayed) :] == fresh


@given(tag_lists, st.none() | tag_lists, st.none() | tag_lists, st.none() | tag_lists)
def test_the_limit_of_tags_is_that_of_the_result(
    old: list[str], tags: list[str] | None, add: list[str] | None, remove: list[str] | None
) -> None:
    """Replace, add, remove, then count."""
    named = {"tags": tags, "add_tags": add, "remove_tags": remove}
    patch = {name: value for name, value in named.items() if value is not None}
    merged = merge({"tags": old}, patch, frozenset())
    base = old if tags is None else tags
    after = (set(base) | set(add or ())) - set(remove or ())
    assert merged.keys() == ({"tags"} if patch else set())
    assert set(merged.get("tags", old)) == after
    if len(set(base)) == len(base):
        assert too_many_tags(patch, merged) == (len(after) > 10)
