"""Rules that hold for a booking's members whoever sets them: what one member alone can't tell."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from service.domain.instants import instant
from service.domain.merge import too_many_tags
from service.domain.model import Fault, Members, Reason, Refused, invalid

OBJECTS = frozenset({"guest", "no_show_fee", "ext_properties"})
MAX_LENGTH = timedelta(days=366)
MAX_PROPERTIES = 20
DEFAULTS: Members = {
    "starts_at": None,
    "ends_at": None,
    "service_id": None,
    "provider_id": None,
    "customer_id": None,
    "resource_id": None,
    "status_id": None,
    "price": None,
    "notes": None,
    "guest": None,
    "guest_count": 1,
    "comment": None,
    "ext_reference_id": None,
    "ext_reference_number": None,
    "ext_properties": {},
    "scenario_name": None,
    "no_show_fee": None,
    "tags": [],
    "types": [],
    "time_slot_id": None,
}


def faults(members: Members, given: Members, root: str) -> tuple[Fault, ...]:
    """Checks the members as they are after a command that gave `given` under the pointer `root`."""
    found: list[Fault] = []
    if "starts_at" in given or "ends_at" in given:
        start, end = instant(members["starts_at"]), instant(members["ends_at"])
        if end <= start:
            found.append(Fault(f"{root}/ends_at", "expected an instant after starts_at"))
        elif end - start > MAX_LENGTH:
            found.append(Fault(f"{root}/ends_at", f"expected at most {MAX_LENGTH.days} days after starts_at"))
    if given.get("no_show_fee") and _captures_too_much(members["no_show_fee"]):
        found.append(Fault(f"{root}/no_show_fee/amount_to_capture", "expected at most amount_pre_authorized"))
    if given.get("ext_properties") and len(members["ext_properties"]) > MAX_PROPERTIES:
        found.append(Fault(f"{root}/ext_properties", f"expected at most {MAX_PROPERTIES} keys after the merge"))
    if too_many_tags(given, members):
        found.append(Fault(f"{root}/add_tags", "expected at most 10 tags after adding and removing"))
    return tuple(found)


def _captures_too_much(fee: Members) -> bool:
    authorized, captured = fee.get("amount_pre_authorized"), fee.get("amount_to_capture")
    return authorized is not None and captured is not None and Decimal(captured) > Decimal(authorized)


def check(
    members: Members, given: Members, root: str, settings: Members, by_status: frozenset[str]
) -> str | Refused | None:
    """Checks the members, and resolves a status id that is given to a state; a refusal tells all that is wrong."""
    found = faults(members, given, root)
    if given.get("status_id") is None:
        return Refused(Reason.INVALID_FIELD, found) if found else None
    state = status_state(given["status_id"], settings, by_status, root)
    if found:
        return Refused(Reason.INVALID_FIELD, (*found, *(state.faults if isinstance(state, Refused) else ())))
    return state


def status_state(status_id: Any, settings: Members, by_status: frozenset[str], root: str) -> str | Refused | None:
    """Resolves a status id through the location's catalogue to a state, or None on graphs without such states.

    A status can never cancel (after AgendaPro Connect v3).
    """
    status = next((s for s in settings["statuses"] if s["id"] == status_id), None)
    if status is None:
        return invalid((f"{root}/status_id", "expected the id of a status of the location"))
    name: str = status["internal_name"]
    if name == "cancelled":
        return Refused(Reason.USE_CANCEL_ACTION)
    if not by_status:
        return None
    if name not in by_status:
        return invalid((f"{root}/status_id", f"expected a status among {', '.join(sorted(by_status))}"))
    return name
