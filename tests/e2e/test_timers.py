"""Timers on real servers, with a mounted graph that counts in seconds."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from service.domain.booking_rules import DEFAULTS
from tests.e2e.broker import Broker, Sent, configure, headers
from tests.e2e.process import Service, environment
from tests.support.wait import until

ACCOUNT, LOCATION = "acc-1", "oslo"
EVENTS = ("booking-events",)
GRAPH = """
aggregate = "booking"
initial = "held"

[states.held]
[states.kept]
[states.lapsed]
[states.over]

[actions.keep]
from = ["held"]
to = "kept"
actors = "all"

[actions.lapse]
from = ["held"]
to = "lapsed"
actors = ["system"]
autoplay = {after = "1s"}

[actions.finish]
from = ["kept"]
to = "over"
actors = "all"
autoplay = {after = "1s", relative_to = "ends_at"}
"""


def _time(delta: timedelta) -> str:
    return (datetime.now(UTC) + delta).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")


def _command(kind: str, booking_id: str, **data: Any) -> Sent:
    body = {"account_id": ACCOUNT, "booking_id": booking_id, **data}
    name = f"{kind}-{booking_id}-{json.dumps(data, sort_keys=True)[:200]}"
    return Sent("booking-commands", booking_id.encode(), json.dumps(body).encode(), headers(name, kind))


def _create(booking_id: str, graph: str, ends_in: timedelta) -> Sent:
    times = {"starts_at": _time(ends_in - timedelta(hours=1)), "ends_at": _time(ends_in)}
    return _command("create-booking", booking_id, location_id=LOCATION, graph=graph, booking=times)


@asynccontextmanager
async def _running(broker: Broker, database_url: str, directory: Path) -> AsyncIterator[None]:
    graphs = directory / "graphs"
    graphs.mkdir()
    (graphs / "quick.toml").write_text(GRAPH, encoding="utf-8")
    await broker.make_topics()
    with Service(environment(broker, database_url, BOOKSTREAM_GRAPHS_DIR=str(graphs)), directory) as service:
        await service.ready()
        await broker.send([configure(ACCOUNT, LOCATION)])
        # Commands on bookings come another way, and may be faster.
        await until(lambda: _has_location(database_url))
        yield


def _told(seen: Any, booking_id: str) -> list[tuple[int, str | None, str, str]]:
    bodies = [record.body for record in seen]
    return [(b["version"], b["action"], b["to_state"], b["actor"]) for b in bodies if b["booking_id"] == booking_id]


async def test_an_action_plays_by_itself(kafka: str, topic_prefix: str, database_url: str, tmp_path: Path) -> None:
    """A state that is left alone moves on after its time, as the system, and its timer is gone."""
    broker = Broker(kafka, topic_prefix)
    async with _running(broker, database_url, tmp_path):
        await broker.send([_create("b-1", "quick", timedelta(hours=5))])
        seen = await broker.read_until(2, EVENTS)
    assert _told(seen, "b-1") == [(1, "create", "held", "external"), (2, "lapse", "lapsed", "system")]
    assert seen[1].body["source"] == "/bookstream"
    assert await _timers(database_url) == 0


async def test_a_manual_action_that_comes_first_wins(
    kafka: str, topic_prefix: str, database_url: str, tmp_path: Path
) -> None:
    """A state that was left plays nothing; a later timer of another booking proves that its time has passed."""
    broker = Broker(kafka, topic_prefix)
    async with _running(broker, database_url, tmp_path):
        first = [_create("b-1", "quick", timedelta(hours=5)), _command("state-action", "b-1", action="keep")]
        await broker.send([*first, _create("b-2", "quick", timedelta(hours=5))])
        seen = await broker.read_until(4, EVENTS)
        await until(lambda: _settled(database_url, timers=1))
    assert _told(seen, "b-1") == [(1, "create", "held", "external"), (2, "keep", "kept", "external")]
    assert _told(seen, "b-2")[-1] == (2, "lapse", "lapsed", "system")


async def test_a_timer_moves_with_the_time_it_is_relative_to(
    kafka: str, topic_prefix: str, database_url: str, tmp_path: Path
) -> None:
    """Ending earlier makes the booking finish earlier; before that it has waited for its old end."""
    broker = Broker(kafka, topic_prefix)
    async with _running(broker, database_url, tmp_path):
        await broker.send([_create("b-1", "quick", timedelta(hours=5)), _command("state-action", "b-1", action="keep")])
        await broker.read_until(2, EVENTS)
        patch = {"starts_at": _time(timedelta(hours=-3)), "ends_at": _time(timedelta(hours=-2))}
        await broker.send([_command("update-booking", "b-1", patch=patch)])
        seen = await broker.read_until(4, EVENTS)
    assert [action for _, action, _, _ in _told(seen, "b-1")] == ["create", "keep", None, "finish"]


async def test_many_timers_at_once_drain_beside_commands(
    kafka: str, topic_prefix: str, database_url: str, tmp_path: Path
) -> None:
    """Thousands of timers due together each play once; a command in their midst does not wait for the last."""
    many = 12_000
    broker = Broker(kafka, topic_prefix)
    async with _running(broker, database_url, tmp_path):
        await _make_due(database_url, many)
        await broker.read_until(1, EVENTS)
        await broker.send([_create("in-between", "venue", timedelta(hours=5))])
        seen = await broker.read_until(many + 1, EVENTS, deadline=50)
        await until(lambda: _settled(database_url, timers=0))
    finished = [record for record in seen if record.body["action"] == "finish"]
    assert len(finished) == len({record.body["booking_id"] for record in finished}) == many
    assert {record.body["version"] for record in finished} == {2}
    assert len(_told(seen, "in-between")) == 1
    lane = next(record.partition for record in seen if record.body["booking_id"] == "in-between")
    order = [record.body["booking_id"] for record in seen if record.partition == lane]
    assert order[-1] != "in-between"


async def _make_due(database_url: str, many: int) -> None:
    """Puts bookings with timers that were due a while ago straight into the database."""
    state = orjson.dumps(
        {
            **DEFAULTS,
            "starts_at": "2026-01-01T10:00:00Z",
            "ends_at": "2026-01-01T11:00:00Z",
            "location_id": LOCATION,
            "state": "kept",
            "graph": "quick",
            "bulk_id": None,
            "owner_booking_id": None,
            "changes_left": None,
            "created_at": "2026-01-01T09:00:00Z",
            "updated_at": "2026-01-01T09:00:00Z",
        }
    )
    connection = await asyncpg.connect(database_url)
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO aggregate (account_id, kind, aggregate_id, version, state) "
            "SELECT $1, 'booking', 'due-' || n, 1, $2 FROM generate_series(1, $3::int) n",
            ACCOUNT,
            state,
            many,
        )
        await connection.execute(
            "INSERT INTO timer (account_id, kind, aggregate_id, action, timer_id, due_at, correlation_id) "
            "SELECT $1, 'booking', 'due-' || n, 'finish', 'timer-' || n, now() - interval '1 hour', 'corr-' || n "
            "FROM generate_series(1, $2::int) n",
            ACCOUNT,
            many,
        )
    await connection.close()


async def _timers(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM timer"))
    finally:
        await connection.close()


async def _has_location(database_url: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM aggregate WHERE kind = 'location')"))
    finally:
        await connection.close()


async def _settled(database_url: str, *, timers: int) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        empty = await connection.fetchval("SELECT NOT EXISTS (SELECT 1 FROM outbox)")
        return bool(empty) and await connection.fetchval("SELECT count(*) FROM timer") == timers
    finally:
        await connection.close()
