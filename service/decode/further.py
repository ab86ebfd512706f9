"""What is wrong between the sound members of a body whose others are wrong: a refusal names all of it at once."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from schemas import commands as wire
from service.domain import booking_rules, visit_rules
from service.domain.customer import is_identified
from service.domain.merge import merge
from service.domain.model import Fault

MEMBERS_OF = {"create-booking": "booking", "create-visit": "visit"}


def further_faults(command_type: str, data: Mapping[str, Any], faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Gives what the rules between members find once the members that are wrong by themselves are left out."""
    root = MEMBERS_OF.get(command_type)
    members = data.get(root) if root is not None else None
    if root is None or not isinstance(members, dict):
        return ()
    places = [fault.pointer.split("/")[1:3] for fault in faults]
    if not all(places):
        # A fault of the body itself: nobody can tell which members it comes from.
        return ()
    wrong = {place[0] for place in places if len(place) == 1 or place[0] != root}
    wrong_members = {place[1] for place in places if len(place) > 1 and place[0] == root}
    sound = {name: value for name, value in data.items() if name not in wrong}
    sound[root] = {name: value for name, value in members.items() if name not in wrong_members}
    try:
        command = wire.COMMANDS[command_type].__pydantic_validator__.validate_python(sound)
    except ValidationError:
        return ()
    match command:
        case wire.CreateBooking():
            given = merge({}, command.booking, booking_rules.OBJECTS)
            return booking_rules.faults({**booking_rules.DEFAULTS, **given}, given, "/booking")
        case wire.CreateVisit():
            return _of_visit(command, named=bool(data.get("customer_id") or members.get("customer_id")), given=members)
        case _:
            return ()


def _of_visit(command: wire.CreateVisit, *, named: bool, given: Mapping[str, Any]) -> tuple[Fault, ...]:
    """A customer or contact that is wrong is a fault by itself, not a missing one."""
    sound, _ = visit_rules.merged_members({}, command.visit)
    found = visit_rules.faults({**visit_rules.DEFAULTS, **sound}, command.visit, "/visit", None, command.options)
    if named or is_identified(given):
        return found
    return (Fault("/customer_id", "expected customer_id, or contact data in visit"), *found)
