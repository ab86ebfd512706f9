"""Whether the database holds what the topics say, and nothing waits."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import asyncpg
import orjson

from tests.faults.checker import Verdict
from tests.faults.evidence import COMMANDS, Lane
from tests.faults.model import plays_by_itself

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_TIMERS_DUE = "SELECT count(*) FROM timer WHERE due_at <= coalesce($1, now())"


async def progress(connection: Connection) -> dict[Lane, int]:
    """How far each partition of the command topics is consumed."""
    rows = await connection.fetch(
        "SELECT topic, partition, next_offset FROM progress WHERE topic = ANY($1)", list(COMMANDS)
    )
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows if row["next_offset"] > 0}


async def waiting(connection: Connection, ends: Mapping[Lane, int], until: datetime | None = None) -> list[str]:
    """What is still to be done: records to consume, rows to publish, timers to fire that were due by then (or now)."""
    moved = await progress(connection)
    behind = {lane: (moved.get(lane, 0), end) for lane, end in ends.items() if moved.get(lane, 0) < end}
    rows = await connection.fetchval("SELECT count(*) FROM outbox")
    timers = await connection.fetchval(_TIMERS_DUE, until)
    told = [f"not consumed: {lane} stands at {there} of {end}" for lane, (there, end) in behind.items()]
    told += [f"not published: {rows} rows of the outbox"] if rows else []
    return told + ([f"not fired: {timers} timers"] if timers else [])


async def check(connection: Connection, verdict: Verdict, until: datetime | None = None) -> list[str]:
    """Lists what is wrong in the database after everything is done that was due by then (or now)."""
    wrong = await waiting(connection, verdict.ends, until)
    moved = await progress(connection)
    if moved != verdict.ends:
        wrong.append(f"progress: the database has {moved}, the log ends at {verdict.ends}")
    remembered = await connection.fetchval("SELECT count(*) FROM inbox")
    if remembered != verdict.remembered:
        wrong.append(f"inbox: it remembers {remembered} commands, decided were {verdict.remembered}")
    return (
        wrong + await _aggregates(connection, verdict) + await _timers(connection, verdict) + await _groups(connection)
    )


async def _aggregates(connection: Connection, verdict: Verdict) -> list[str]:
    rows = await connection.fetch(
        "SELECT account_id, kind, aggregate_id, version, state FROM aggregate WHERE kind <> 'location'"
    )
    stored = {(row["account_id"], (row["kind"], row["aggregate_id"])): (row["version"], row["state"]) for row in rows}
    wrong = [f"the database lacks {one}, or no event tells of it" for one in stored.keys() ^ verdict.last.keys()]
    return wrong + [
        f"the database has {one} at {stored[one]}, its last event says {said}"
        for one, said in verdict.last.items()
        if one in stored and not _same(stored[one], said)
    ]


def _same(stored: tuple[int, bytes], said: tuple[int, bytes]) -> bool:
    # The order of the members is nobody's concern.
    return stored == said or (stored[0] == said[0] and orjson.loads(stored[1]) == orjson.loads(said[1]))


async def _timers(connection: Connection, verdict: Verdict) -> list[str]:
    rows = await connection.fetch("SELECT account_id, kind, aggregate_id, action FROM timer")
    stored = {(row["account_id"], (row["kind"], row["aggregate_id"]), row["action"]) for row in rows}
    expected = {
        (*one, action) for one, state in verdict.aggregates.items() if (action := plays_by_itself(state)) is not None
    }
    return [f"timers: {one} is in the database or in the model, not in both" for one in sorted(stored ^ expected)]


async def _groups(connection: Connection) -> list[str]:
    rows = await connection.fetch(
        "SELECT account_id, group_id, size, members FROM booking_group FULL JOIN ("
        " SELECT account_id, group_id, count(*) AS members FROM group_member GROUP BY 1, 2"
        ") AS counted USING (account_id, group_id) WHERE coalesce(size, 0) <> coalesce(members, 0)"
    )
    return [f"groups: {dict(row)}" for row in rows]
