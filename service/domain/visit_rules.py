"""Rules that hold for a visit's members whoever sets them, and what becomes of the deprecated ones."""

from typing import Any, Final

from service.domain.instants import instant
from service.domain.local_time import local_instant, on_grid
from service.domain.merge import merge, too_many_tags
from service.domain.model import Fault, Members

OBJECTS: Final = frozenset({"metadata", "order_value", "message_info"})
DEPRECATED: Final = ("notes", "services", "resources", "fields")
MAX_METADATA: Final = 20
FINE_GRID_MINUTES: Final = 5
DEFAULTS: Members = {
    "external_id": None,
    "customer_id": None,
    "external_customer_id": None,
    "name": None,
    "first_name": None,
    "last_name": None,
    "phone": None,
    "email": None,
    "customer": None,
    "public_id": None,
    "service_ids": None,
    "resource_ids": None,
    "data_fields": None,
    "party_size": 1,
    "wait_duration": None,
    "position": None,
    "state": None,
    "tags": [],
    "date": None,
    "duration": None,
    "is_block": False,
    "source": None,
    "locale": None,
    "policy_consent": False,
    "message_info": None,
    "metadata": None,
    "order_value": None,
    "starts_at": None,
    "ends_at": None,
}


def merged_members(old: Members, given: Members) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Merges what was given, deprecated members mapped to their successors; also lists those it mapped."""
    old_ones = tuple(name for name in DEPRECATED if name in given)
    plain = {name: value for name, value in given.items() if name not in DEPRECATED and name != "state"}
    if old_ones:
        plain = _successors(given) | plain
    return merge(old, plain, OBJECTS), old_ones


def _successors(given: Members) -> dict[str, Any]:
    mapped: dict[str, Any] = {}
    if "notes" in given:
        mapped["customer"] = None if given["notes"] is None else {"notes": given["notes"]}
    if "services" in given:
        mapped["service_ids"] = None if given["services"] is None else list(given["services"])
    if "resources" in given:
        mapped["resource_ids"] = None if given["resources"] is None else list(given["resources"])
    if "fields" in given:
        fields = given["fields"]
        mapped["data_fields"] = (
            None
            if fields is None
            else [
                {"id": name, "values": value if isinstance(value, list) else [value]} for name, value in fields.items()
            ]
        )
    return mapped


def faults(
    members: Members, given: Members, root: str, settings: Members | None, options: Members
) -> tuple[Fault, ...]:
    """Checks the members as they are after a command that gave `given` under the pointer `root`.

    Without the settings of the location its date can't be judged.
    """
    found: list[Fault] = []
    starts_at, ends_at = members["starts_at"], members["ends_at"]
    both = ("starts_at" in given or "ends_at" in given) and starts_at is not None and ends_at is not None
    if both and instant(ends_at) <= instant(starts_at):
        found.append(Fault(f"{root}/ends_at", "expected an instant after starts_at"))
    if given.get("date") is not None and settings and (detail := _date_fault(given["date"], settings, options)):
        found.append(Fault(f"{root}/date", detail))
    if given.get("metadata") and len(members["metadata"]) > MAX_METADATA:
        found.append(Fault(f"{root}/metadata", f"expected at most {MAX_METADATA} keys after the merge"))
    if too_many_tags(given, members):
        found.append(Fault(f"{root}/add_tags", "expected at most 10 tags after adding and removing"))
    return tuple(found)


def _date_fault(date: str, settings: Members, options: Members) -> str | None:
    if local_instant(date, settings["timezone"]) is None:
        return f"the clock in {settings['timezone']} never shows this time"
    grid = settings["slot_minutes"]
    if grid is None:
        return None
    grid = FINE_GRID_MINUTES if options.get("slot_granularity") == "fine" else grid
    return None if on_grid(date, grid) else f"expected a time on the {grid}-minute grid of the location"
