"""Writes what visits claim beyond themselves: external ids, and places among their customer's active visits."""

from collections.abc import Iterable, Mapping
from typing import Final

from service.domain.graph import Graph
from service.domain.model import Changed
from service.handle.loaded import Key
from service.handle.working import active_place
from service.store.pool import Connection

RELEASE: Final = """
DELETE FROM external_id
USING unnest($1::text[], $2::text[], $3::text[]) AS gone (account_id, external_id, visit_id)
WHERE external_id.account_id = gone.account_id AND external_id.external_id = gone.external_id
  AND external_id.visit_id = gone.visit_id
"""
CLAIM: Final = """
INSERT INTO external_id (account_id, external_id, visit_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT DO NOTHING
RETURNING account_id, external_id
"""
LEAVE: Final = """
DELETE FROM active_visit
USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS gone (account_id, location_id, customer_id, visit_id)
WHERE active_visit.account_id = gone.account_id AND active_visit.location_id = gone.location_id
  AND active_visit.customer_id = gone.customer_id AND active_visit.visit_id = gone.visit_id
"""
ENTER: Final = """
INSERT INTO active_visit (account_id, location_id, customer_id, visit_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT DO NOTHING
"""


class Claims:
    """What a batch gives back and takes, folded over its changes."""

    def __init__(self, graphs: Mapping[str, Graph]) -> None:
        self._graphs = graphs
        self.released: dict[tuple[str, str, str], None] = {}
        self.claimed: dict[tuple[str, str], str] = {}
        self.left: dict[tuple[str, str, str, str], None] = {}
        self.entered: dict[tuple[str, str, str, str], None] = {}

    def add(self, changed: Changed) -> None:
        """Adds the claims of one change of a visit."""
        visit = changed.after
        old, new = changed.changes.get("external_id", (None, None))
        if old is not None and self.claimed.pop((visit.account_id, old), None) is None:
            self.released[visit.account_id, old, visit.id] = None
        if new is not None:
            self.claimed[visit.account_id, new] = visit.id
        if "customer_id" in changed.changes or "state" in changed.changes:
            self._move(changed)

    def _move(self, changed: Changed) -> None:
        visit = changed.after
        before = changed.changes.get("customer_id", (visit.snapshot["customer_id"], None))[0]
        if before is not None:
            place = (visit.account_id, visit.snapshot["location_id"], before, visit.id)
            self.entered.pop(place, None)
            self.left[place] = None
        active = active_place(visit, self._graphs)
        if active is not None:
            self.entered[visit.account_id, active[0], active[1], visit.id] = None


async def save_visit_claims(
    connection: Connection, changes: Iterable[Changed], graphs: Mapping[str, Graph]
) -> set[Key]:
    """Writes the claims of changed visits; names the visits whose external id another transaction took meanwhile."""
    claims = Claims(graphs)
    for changed in changes:
        if changed.after.kind == "visit":
            claims.add(changed)
    for statement, rows in ((RELEASE, claims.released), (LEAVE, claims.left), (ENTER, claims.entered)):
        if rows:
            await connection.execute(statement, *(list(column) for column in zip(*sorted(rows), strict=True)))
    return await _claim(connection, claims.claimed)


async def _claim(connection: Connection, claimed: Mapping[tuple[str, str], str]) -> set[Key]:
    if not claimed:
        return set()
    rows = [(*key, visit_id) for key, visit_id in sorted(claimed.items())]
    found = await connection.fetch(CLAIM, *(list(column) for column in zip(*rows, strict=True)))
    got = {(account, external_id) for account, external_id in found}
    return {
        (account, "visit", visit_id) for account, external_id, visit_id in rows if (account, external_id) not in got
    }
