"""JSON Merge Patch (RFC 7396), one level of nesting deep, and the tag deltas that go with it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from service.domain.model import Members

TAG_LIMIT = 10


def merge_object(old: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merges a nested object: null removes a key, every other value replaces it (objects inside merge too)."""
    merged: dict[str, Any] = dict(old) if isinstance(old, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge_object(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def merge(old: Members, patch: Members, objects: AbstractSet[str]) -> dict[str, Any]:
    """Gives the members that the patch names, as they are after it; the members in `objects` merge, others replace."""
    merged = dict(patch)
    if not objects.isdisjoint(patch):
        for name in objects:
            if merged.get(name) is not None:
                merged[name] = merge_object(old.get(name), merged[name])
    if "add_tags" in patch or "remove_tags" in patch:
        add, remove = merged.pop("add_tags", None) or (), merged.pop("remove_tags", None) or ()
        tags: list[str] = merged["tags"] if "tags" in merged else old.get("tags") or []
        merged["tags"] = apply_tag_deltas(tags, add, remove)
    return merged


def apply_tag_deltas(tags: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> list[str]:
    """Adds what is missing in the order given, then removes."""
    result = list(tags)
    for tag in add:
        if tag not in result:
            result.append(tag)
    return [tag for tag in result if tag not in remove]


def too_many_tags(patch: Members, merged: Members) -> bool:
    """Tells whether the deltas leave more tags than allowed (tags that actions added don't count against a removal)."""
    return bool(patch.get("add_tags")) and len(merged["tags"]) > TAG_LIMIT
