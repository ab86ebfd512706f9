"""Makes a change out of an aggregate and the members that are new: versions, times and differences in one place."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.domain.instants import instant, instant_text
from service.domain.model import KEEP_SLOTS, KEEP_TIMERS, Aggregate, Changed, Kind, Members, Slots, Timers

BOOKKEEPING = frozenset({"created_at", "updated_at", "changes_left"})


def difference(old: Members, new: Members) -> dict[str, tuple[Any, Any]]:
    """Lists the members of `new` whose value differs from the old one, bookkeeping aside."""
    return {
        name: (before, value)
        for name, value in new.items()
        if (before := old.get(name)) != value and name not in BOOKKEEPING
    }


def altered(
    before: Aggregate,
    members: Mapping[str, Any],
    now: datetime,
    *,
    action: str | None = None,
    options: Members | None = None,
    inputs: Members | None = None,
    replicated_from: str | None = None,
    timers: Timers = KEEP_TIMERS,
    slots: Slots = KEEP_SLOTS,
    memo: Members | None = None,
    erased: bool = False,
) -> Changed | None:
    """Changes an aggregate to hold `members`; None when it holds them already."""
    changes = difference(before.snapshot, members)
    if not changes:
        return None
    last = instant(before.snapshot["updated_at"])
    snapshot = {**before.snapshot, **members, "updated_at": instant_text(max(now, last))}
    after = Aggregate(
        before.kind,
        before.account_id,
        before.id,
        before.version + 1,
        snapshot,
        memo if memo is not None else before.memo,
    )
    from_state = before.snapshot.get("state")
    return Changed(after, changes, action, from_state, options, inputs, replicated_from, timers, slots, erased)


def created(
    kind: Kind,
    account_id: str,
    aggregate_id: str,
    members: Mapping[str, Any],
    now: datetime,
    *,
    options: Members | None = None,
    timers: Timers = KEEP_TIMERS,
    slots: Slots = KEEP_SLOTS,
    memo: Members | None = None,
) -> Changed:
    """Begins an aggregate at version 1; every member that is not null is a change from null."""
    text = instant_text(now)
    snapshot = {**members, "created_at": text, "updated_at": text}
    after = Aggregate(kind, account_id, aggregate_id, 1, snapshot, memo)
    changes = {name: (None, value) for name, value in members.items() if value is not None and name not in BOOKKEEPING}
    return Changed(after, changes, "create", None, options, None, None, timers, slots)
