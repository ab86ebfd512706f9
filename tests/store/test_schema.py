import re
from datetime import UTC, datetime

import asyncpg
import pytest

from service.clock import due, housekeeping
from service.handle import (
    dedupe,
    load,
    load_groups,
    load_visits,
    progress,
    save,
    save_groups,
    save_visits,
    slots,
    timers,
)
from tests.store.conftest import Connection

# Of the whole service, not of an account.
SHARED = {
    "progress",
    "outbox",
    "schema_migration",
    "graph_revision",
    "resync",
    "pause",
    "epoch",
    "client_revision",
    "sealing_key",
    "link_key",
}
INDEXES = """
SELECT t.relname AS table_name, i.relname AS name, x.indisunique OR x.indisexclusion AS rules, a.attname AS first
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
WHERE t.relnamespace = 'public'::regnamespace
"""
FILL = """
INSERT INTO aggregate (account_id, kind, aggregate_id, version, state)
SELECT 'acc-' || n % 50, 'booking', 'b-' || n, 1, 'x' FROM generate_series(1, 50000) AS n;
INSERT INTO inbox (account_id, command_key, content_hash, outcome)
SELECT 'acc-' || n % 50, sha256(n::text::bytea), 'x', 'x' FROM generate_series(1, 50000) AS n;
INSERT INTO booking_group (account_id, group_id, version, size)
SELECT 'acc-' || n % 50, 'bulk/' || n, 1, 1 FROM generate_series(1, 50000) AS n;
INSERT INTO group_member (account_id, group_id, booking_id)
SELECT 'acc-' || n % 50, 'bulk/' || n, 'b-' || n FROM generate_series(1, 50000) AS n;
INSERT INTO external_id (account_id, external_id, visit_id)
SELECT 'acc-' || n % 50, 'x-' || n, 'v-' || n FROM generate_series(1, 50000) AS n;
INSERT INTO active_visit (account_id, location_id, customer_id, visit_id)
SELECT 'acc-' || n % 50, 'oslo', 'c-' || n, 'v-' || n FROM generate_series(1, 50000) AS n;
INSERT INTO slot (account_id, kind, holder_id, resource_id, period, exclusive)
SELECT 'acc-' || n % 50, 'booking', 'b-' || n, 'r-' || n % 500,
       tstzrange('2026-01-01'::timestamptz + n * interval '1 h', '2026-01-01'::timestamptz + (n + 1) * interval '1 h'),
       n % 2 = 0
FROM generate_series(1, 50000) AS n;
INSERT INTO timer (account_id, kind, aggregate_id, action, timer_id, due_at, correlation_id)
SELECT 'acc-' || n % 50, 'booking', 'b-' || n, 'complete', 't', now() + n * interval '1 second', 'k'
FROM generate_series(1, 50000) AS n;
ANALYZE;
"""
# Statements that run for every batch, the table that they touch, and the index by which they must.
HOT = {
    "recall": (dedupe.RECALL, "inbox", "inbox_pkey"),
    "load": (load.LOAD, "aggregate", "aggregate_pkey"),
    "load locked": (load.LOAD_LOCKED, "aggregate", "aggregate_pkey"),
    "save": (save.UPDATE, "aggregate", "aggregate_pkey"),
    "load groups": (load_groups.LOAD, "booking_group", "booking_group_pkey"),
    "load locked groups": (load_groups.LOAD_LOCKED, "booking_group", "booking_group_pkey"),
    "members": (load_groups.MEMBERS, "group_member", "group_member_pkey"),
    "bump": (save_groups.BUMP, "booking_group", "booking_group_pkey"),
    "external ids": (load_visits.EXTERNAL_IDS, "external_id", "external_id_pkey"),
    "release": (save_visits.RELEASE, "external_id", "external_id_pkey"),
    "active visits": (load_visits.ACTIVE, "active_visit", "active_visit_pkey"),
    "leave": (save_visits.LEAVE, "active_visit", "active_visit_pkey"),
    "give back": (slots.GIVE_BACK, "slot", "slot_pkey"),
    "load timers": (timers.LOAD, "timer", "timer_pkey"),
    "clear timers": (timers.CLEAR, "timer", "timer_pkey"),
    "spend timers": (timers.SPEND, "timer", "timer_pkey"),
    "holdings": (slots.LOAD.replace("$5", "true"), "slot", "slot_held_once"),
    "shared holdings": (slots.LOAD.replace("$5", "false"), "slot", "slot_shared"),
    "unanswered": (due.UNANSWERED, "timer", "timer_due"),
    "due": (due.SEND, "timer", "timer_due"),
    "forget": (housekeeping.FORGET, "inbox", "inbox_decided_at"),
}


async def test_keys_begin_with_the_account(connection: Connection) -> None:
    """Every key and every rule of account data begins with the account, so that accounts can be spread over nodes."""
    rows = await connection.fetch(INDEXES)
    keys = [row for row in rows if row["rules"] and row["table_name"] not in SHARED]
    assert len(keys) >= 8
    assert [row["name"] for row in keys if row["first"] != "account_id"] == []


async def test_every_table_has_a_primary_key(connection: Connection) -> None:
    """No table is without a primary key, which replication needs."""
    without = await connection.fetch(
        "SELECT relname FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)"
    )
    assert without == []


async def test_hot_statements_use_their_keys(connection: Connection) -> None:
    """On tables of 50,000 rows the statements of a batch find theirs by key under a generic plan."""
    await connection.execute(FILL)
    await connection.execute("SET plan_cache_mode = force_generic_plan; SET jit = off")
    wrong = []
    for name, (statement, table, index) in HOT.items():
        plan = await _generic_plan(connection, statement)
        if f"Seq Scan on {table}" in plan or index not in plan:
            wrong.append(f"{name}:\n{plan}")
    assert not wrong, "\n\n".join(wrong)


async def _generic_plan(connection: Connection, statement: str) -> str:
    """The plan that is made once for all values."""
    await connection.execute(f"PREPARE asked AS {statement}")
    nothing = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
    rows = await connection.fetch(f"EXPLAIN EXECUTE asked ({nothing})")
    await connection.execute("DEALLOCATE asked")
    return "\n".join(row[0] for row in rows)


async def test_moving_progress_reads_no_more_than_partitions(connection: Connection) -> None:
    """Progress is moved where it is at the expected offset, and only there."""
    await connection.execute("INSERT INTO progress VALUES ('a', 0, 5), ('a', 1, 5), ('b', 0, 5)")
    moved = await connection.fetchval(progress.MOVE, ["a", "a", "b"], [0, 1, 0], [5, 4, 5], [6, 6, 7])
    assert moved == 2
    assert [row[0] for row in await connection.fetch("SELECT next_offset FROM progress ORDER BY topic, partition")] == [
        6,
        5,
        7,
    ]


async def test_exclusive_holders_exclude_each_other(connection: Connection) -> None:
    """The database itself admits no two exclusive holders at once; half-open periods may touch."""
    insert = "INSERT INTO slot VALUES ('acc', 'booking', $1, 'r', $2, $3)"

    async def hold(holder: str, start: int, end: int, *, exclusive: bool) -> None:
        day = datetime(2026, 12, 24, tzinfo=UTC)
        await connection.execute(
            insert, holder, asyncpg.Range(day.replace(hour=start), day.replace(hour=end)), exclusive
        )

    await hold("b-1", 18, 20, exclusive=True)
    await hold("b-2", 20, 21, exclusive=True)
    await hold("b-3", 18, 21, exclusive=False)
    with pytest.raises(asyncpg.ExclusionViolationError):
        await hold("b-4", 19, 20, exclusive=True)


async def test_changes_of_version_stay_on_their_page(connection: Connection) -> None:
    """A change of an aggregate touches no index, so that it is a heap-only update."""
    await connection.execute("INSERT INTO aggregate VALUES ('acc', 'booking', 'b-1', 1, 'x', NULL)")
    await connection.execute("UPDATE aggregate SET version = 2, state = 'y'")
    hot = await connection.fetchval("SELECT pg_stat_get_xact_tuples_hot_updated('aggregate'::regclass)")
    if hot == 0:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        hot = await connection.fetchval("SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'aggregate'")
    assert hot == 1
