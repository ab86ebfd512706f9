"""Loads what visits claim beyond themselves: external ids, and places among their customer's active visits."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from service.domain.commands import CreateVisit, UpdateVisit
from service.domain.customer import derive_customer_id
from service.handle.loaded import CustomerKey, Loaded
from service.received import Question
from service.store.pool import Connection

EXTERNAL_IDS: Final = """
SELECT e.account_id, e.external_id, e.visit_id
FROM unnest($1::text[], $2::text[]) AS asked (account_id, external_id)
JOIN external_id e USING (account_id, external_id)
"""
# Held until the end of the transaction: two visits of one customer in public mode are counted one after the other.
LOCK_CUSTOMERS: Final = """
SELECT pg_advisory_xact_lock(key)
FROM (SELECT DISTINCT hashtextextended(customer, 0) AS key FROM unnest($1::text[]) AS customer ORDER BY 1) AS ordered
"""
ACTIVE: Final = """
SELECT v.account_id, v.location_id, v.customer_id, array_agg(v.visit_id)
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (account_id, location_id, customer_id)
JOIN active_visit v USING (account_id, location_id, customer_id)
GROUP BY v.account_id, v.location_id, v.customer_id
"""


async def load_external_ids(connection: Connection, questions: Sequence[Question]) -> Mapping[tuple[str, str], str]:
    """Gives who bears the external ids that commands set."""
    wanted = sorted(set(_external_ids(questions)))
    if not wanted:
        return {}
    rows = await connection.fetch(EXTERNAL_IDS, [account for account, _ in wanted], [name for _, name in wanted])
    return {(account, name): visit_id for account, name, visit_id in rows}


def _external_ids(questions: Iterable[Question]) -> Iterable[tuple[str, str]]:
    for question in questions:
        match question.command:
            case CreateVisit(visit={"external_id": str(external_id)}):
                yield question.context.account_id, external_id
            case UpdateVisit(patch={"external_id": str(external_id)}):
                yield question.context.account_id, external_id
            case _:
                pass


async def load_active_visits(
    connection: Connection, questions: Sequence[Question], loaded: Loaded
) -> Mapping[CustomerKey, frozenset[str]]:
    """Locks and counts the customers of visits in public mode."""
    return await count_active_visits(connection, set(_customers(questions, loaded)))


async def count_active_visits(
    connection: Connection, customers: Collection[CustomerKey]
) -> Mapping[CustomerKey, frozenset[str]]:
    """Locks customers and gives their visits that are not over."""
    wanted = sorted(customers)
    if not wanted:
        return {}
    await connection.execute(LOCK_CUSTOMERS, ["\n".join(key) for key in wanted])
    rows = await connection.fetch(
        ACTIVE,
        [account for account, _, _ in wanted],
        [location for _, location, _ in wanted],
        [customer for _, _, customer in wanted],
    )
    found = {(account, location, customer): frozenset(ids) for account, location, customer, ids in rows}
    return {key: found.get(key, frozenset()) for key in wanted}


def _customers(questions: Iterable[Question], loaded: Loaded) -> Iterable[CustomerKey]:
    """Names the customers that a visit in public mode may turn out to be of; the rare others show as it is decided."""
    created = {
        (q.context.account_id, q.command.visit_id): q.command for q in questions if isinstance(q.command, CreateVisit)
    }
    for question in questions:
        account_id, command = question.context.account_id, question.command
        if not isinstance(command, CreateVisit | UpdateVisit) or not command.options.get("public_mode"):
            continue
        old = loaded.aggregates[account_id, "visit", command.visit_id]
        made = created.get((account_id, command.visit_id))
        snapshot = old.snapshot if old is not None else {}
        given = command.visit if isinstance(command, CreateVisit) else command.patch
        location_id = snapshot.get("location_id") or (made.location_id if made else None)
        if location_id is None:
            continue
        candidates = {
            snapshot.get("customer_id"),
            made.customer_id if made else None,
            given.get("customer_id"),
            derive_customer_id(account_id, {**snapshot, **(made.visit if made else {}), **given}),
        }
        if made is not None:
            candidates |= {made.visit.get("customer_id"), derive_customer_id(account_id, made.visit)}
        for customer_id in candidates:
            if customer_id is not None:
                yield account_id, location_id, customer_id
