"""JSON Merge Patch (RFC 7396), one level of nesting deep, and the tag deltas that go with it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from service.domain.model import Members

TAG_LIMIT = 10
DELTAS = ("add_tags", "remove_tags")


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


def merge(old: Members, patch: Members, objects: Collection[str]) -> dict[str, Any]:
    """Gives the members that the patch names, as they are after it; the members in `objects` merge, others replace."""
    merged: dict[str, Any] = {}
    for name, value in patch.items():
        if name in DELTAS:
            continue
        merged[name] = merge_object(old.get(name), value) if name in objects and value is not None else value
    if "add_tags" in patch or "remove_tags" in patch:
        tags: list[str] = merged["tags"] if "tags" in merged else old.get("tags") or []
        merged["tags"] = apply_tag_deltas(tags, patch.get("add_tags") or (), patch.get("remove_tags") or ())
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
