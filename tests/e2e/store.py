"""What the database must hold when everything is done: the state of the last events, and nothing waiting."""

from collections.abc import Sequence

import asyncpg
import orjson

from service.topics import COMMAND_TOPICS
from tests.e2e.checker import EVENTS, Seen
from tests.e2e.model import Expected, Identity


async def progress(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    """How many records have been consumed."""
    total = await connection.fetchval(
        "SELECT coalesce(sum(next_offset), 0)::bigint FROM progress WHERE topic = ANY($1)", list(COMMAND_TOPICS)
    )
    return int(total)


async def is_settled(connection: "asyncpg.Connection[asyncpg.Record]", records: int) -> bool:
    """Whether all records have been consumed and everything that they caused has been published."""
    if await progress(connection) < records:
        return False
    return bool(await connection.fetchval("SELECT NOT EXISTS (SELECT 1 FROM outbox)"))


async def check_store(
    connection: "asyncpg.Connection[asyncpg.Record]", expected: Expected, seen: Sequence[Seen], configured: int
) -> list[str]:
    """Lists what is wrong in the database; `configured` is the number of locations, which have no events."""
    wrong = []
    commands = len(expected.outcomes) + configured
    remembered = await connection.fetchval("SELECT count(*) FROM inbox")
    if remembered != commands:
        wrong.append(f"the inbox remembers {remembered} commands, sent were {commands}")
    consumed = await progress(connection)
    if consumed != expected.records + configured:
        wrong.append(f"consumed were {consumed} records, sent were {expected.records + configured}")
    if waiting := await connection.fetchval("SELECT count(*) FROM outbox"):
        wrong.append(f"{waiting} rows wait in the outbox")
    rows = await connection.fetch("SELECT kind, aggregate_id, version, state FROM aggregate WHERE kind <> 'location'")
    stored = {(row["kind"], row["aggregate_id"]): (row["version"], orjson.loads(row["state"])) for row in rows}
    last = last_events(seen)
    if stored.keys() != last.keys():
        wrong.append(f"aggregates without events, or the reverse: {sorted(stored.keys() ^ last.keys())[:10]}")
    wrong += [
        f"the database has {identity[1]} at {stored[identity]}, its last event says {event}"
        for identity, event in last.items()
        if identity in stored and stored[identity] != event
    ]
    return wrong


def last_events(seen: Sequence[Seen]) -> dict[Identity, tuple[int, dict[str, object]]]:
    """Version and snapshot in the last event of each aggregate."""
    last: dict[Identity, tuple[int, dict[str, object]]] = {}
    for record in seen:
        if record.topic in EVENTS:
            body = record.body
            kind: Identity = ("booking", "") if record.topic == EVENTS[0] else ("visit", "")
            identity: Identity = (kind[0], body[f"{kind[0]}_id"])
            if body["version"] > last.get(identity, (0, {}))[0]:
                last[identity] = (body["version"], body[kind[0]])
    return last
