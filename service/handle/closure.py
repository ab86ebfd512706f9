"""What connects the commands of a batch: when one loses a race, all that built on it are decided again with it."""

from collections.abc import Iterator, Sequence
from typing import Any

from service.domain.model import Changed
from service.handle.decided import Decided
from service.handle.save import Lost

Tie = tuple[str, str, str]


def ties(decided: Decided) -> set[Tie]:
    """All that a command looked at, gave back or took; locations are read by everybody and connect nobody."""
    received = decided.received
    found = {key for key in decided.touched if key[1] != "location"}
    found.add((received.account_id, received.kind, received.aggregate_id))
    found.add((received.account_id, "memory", received.command_key.hex()))
    for changed in decided.changes:
        found.update(_claims(changed))
    return found


def _claims(changed: Changed) -> Iterator[Tie]:
    """Resources, customers and external ids that the change gives back or takes, asked for or not."""
    account_id = changed.after.account_id
    if changed.after.kind == "visit":
        yield from ((account_id, "customer", customer) for customer in _before_and_after(changed, "customer_id"))
        yield from ((account_id, "external_id", name) for name in _before_and_after(changed, "external_id"))
    if changed.slots.release or changed.slots.hold is not None:
        member = "resource_id" if changed.after.kind == "booking" else "resource_ids"
        for held in _before_and_after(changed, member):
            yield from ((account_id, "resource", one) for one in ([held] if isinstance(held, str) else held))


def _before_and_after(changed: Changed, member: str) -> list[Any]:
    now = changed.after.snapshot.get(member)
    before = changed.changes.get(member, (now, now))[0]
    return [value for value in (before, now) if value is not None]


def split(decisions: Sequence[Decided], lost: Lost) -> tuple[list[Decided], list[Decided]]:
    """Parts the commands that a lost race touches, directly or through others, from those it doesn't."""
    tainted = set(lost)
    tied = [ties(decided) for decided in decisions]
    beaten: set[int] = set()
    grown = True
    while grown:
        grown = False
        for index, mine in enumerate(tied):
            if index not in beaten and not tainted.isdisjoint(mine | set(decisions[index].touched)):
                beaten.add(index)
                tainted |= mine
                grown = True
    return (
        [decided for index, decided in enumerate(decisions) if index not in beaten],
        [decided for index, decided in enumerate(decisions) if index in beaten],
    )
