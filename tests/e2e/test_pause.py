"""Pausing and going on, by hand and by itself, on a real Kafka and a real PostgreSQL."""

import asyncio
import json
from typing import Any

import pytest

from service.telemetry.names import LAG_RECORDS, PAUSED
from tests.e2e.process import Service, environment, run_to_end
from tests.e2e.stage import Stage, create, open_location, stop, update, versions
from tests.e2e.store import progress
from tests.support.wait import until
from tests.telemetry.scrape import scrape_until

NO_BAD = "ALTER TABLE aggregate ADD CONSTRAINT nobody_is_bad CHECK (aggregate_id NOT LIKE 'bad%')"
MENDED = "ALTER TABLE aggregate DROP CONSTRAINT nobody_is_bad"


async def call(stage: Stage, *arguments: str) -> Any:
    """What a subcommand says as JSON."""
    ended = await asyncio.to_thread(run_to_end, environment(stage.broker, stage.database_url), *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


async def paused(service: Service, *words: str) -> None:
    """Waits until readiness says that consumption is paused and nothing else, and the gauge shows it."""

    async def told() -> bool:
        problems = await asyncio.to_thread(service.problems)
        return len(problems) == 1 and all(word in problems[0] for word in ("bookstream resume", *words))

    await until(told, 40)
    await scrape_until(service, lambda found: found.value(PAUSED) == 1)


@pytest.mark.timeout(150)
async def test_pause_and_resume(stage: Stage) -> None:
    """All processes stop, with heartbeats and lag; who starts meanwhile is paused too; then everything is applied."""
    with stage.service() as first, stage.service("worker") as second:
        await asyncio.gather(first.ready(), second.ready())
        await open_location(stage)
        begun = await call(stage, "pause", "--reason", "moving house", "--by", "me")
        assert (begun["paused"], begun["begun"], begun["batches_ended"]) == (True, True, True)
        before = await progress(stage.connection)
        await stage.send([create(f"b-{n}") for n in range(20)])
        await asyncio.gather(paused(first, "moving house", "by me"), paused(second, "moving house"))
        await scrape_until(first, lambda found: found.value(LAG_RECORDS) > 0)
        second.kill()
        second.start()
        await paused(second, "moving house")
        assert await progress(stage.connection) == before
        assert (await call(stage, "pause", "--status"))["reason"] == "moving house"
        assert (await call(stage, "pause", "--reason", "again"))["reason"] == "moving house"
        assert (await call(stage, "resume"))["ended"]["by"] == "me"
        await stage.settle()
        assert versions(await stage.events()) == {f"b-{n}": [1] for n in range(20)}
        await asyncio.gather(first.ready(), second.ready())
        assert (await call(stage, "resume"))["ended"] is None
        assert [await stop(one) for one in (first, second)] == [0, 0]


@pytest.mark.timeout(150)
async def test_too_many_internal_errors(stage: Stage) -> None:
    """The rest of the topic is not drained into dead letters: it waits, and is applied once the defect is mended."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.connection.execute(NO_BAD)
        await stage.send([create("b-1"), *(create(f"bad-{n}") for n in range(150))])
        await paused(service, "by the service", "internal_error")
        await stage.send([update("b-1", "u-1", notes="x")])
        await stage.connection.execute(MENDED)
        await call(stage, "resume")
        await service.ready()
        await stage.settle()
        found = versions(await stage.events())
        assert found["b-1"] == [1, 2]
        letters = await stage.broker.read(["commands-dlq"])
        assert 100 <= len(letters) <= 150
        assert len(found) + len(letters) == 151
        assert await stop(service) == 0, service.tail()
