"""Starts of several worker processes that fail or wait: told once, as of one process, and nobody is left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from service.topics import CONSUMED_TOPICS
from tests.e2e.broker import Broker
from tests.e2e.crewed import WORKERS, Crewed
from tests.e2e.process import STOP_SECONDS, environment, run_to_end
from tests.e2e.stage import Stage
from tests.kafka.harness import set_config
from tests.support.wait import until

pytestmark = pytest.mark.timeout(150)

KEYS = {"BOOKSTREAM_ENCRYPTION_KEYS": "A" * 43 + "="}
MONTH_MS = str(30 * 86_400_000)


async def _secrets_of_another_key(stage: Stage) -> dict[str, str]:
    sealed = await asyncio.to_thread(run_to_end, environment(stage.broker, stage.database_url, **KEYS), "migrate")
    assert sealed.returncode == 0
    return {}


async def _a_graph_with_a_mistake(stage: Stage) -> dict[str, str]:
    (stage.directory / "broken.toml").write_text("graph = 1", encoding="utf-8")
    return {"BOOKSTREAM_GRAPHS_DIR": str(stage.directory)}


async def _records_that_outlive_the_memory(stage: Stage) -> dict[str, str]:
    await set_config(stage.broker.bootstrap, stage.broker.prefix + CONSUMED_TOPICS[0], {"retention.ms": MONTH_MS})
    return {}


async def _times_of_the_senders(stage: Stage) -> dict[str, str]:
    topic = stage.broker.prefix + CONSUMED_TOPICS[0]
    await set_config(stage.broker.bootstrap, topic, {"message.timestamp.type": "CreateTime"})
    return {"BOOKSTREAM_SIGNING": "required"}


@pytest.mark.parametrize("roles", ["worker,relay,clock", "worker"])
@pytest.mark.parametrize(
    ("arrange", "exit_code", "told"),
    [
        (_secrets_of_another_key, 2, "BOOKSTREAM_ENCRYPTION_KEYS: "),
        (_a_graph_with_a_mistake, 2, "broken.toml: initial is missing"),
        (_records_that_outlive_the_memory, 2, "BOOKSTREAM_INBOX_RETENTION_DAYS: "),
        (_times_of_the_senders, 1, "set message.timestamp.type=LogAppendTime"),
    ],
)
async def test_what_workers_find_wrong_is_told_once(
    stage: Stage, arrange: Callable[[Stage], Awaitable[dict[str, str]]], exit_code: int, told: str, roles: str
) -> None:
    """The exit code is that of the cause, however many workers there are, and none of them is left."""
    settings = environment(stage.broker, stage.database_url, **await arrange(stage))
    service = Crewed(settings, stage.directory, roles)
    with service:
        others = await until(service.others, 20)
        await until(lambda: service._running.exit_code is not None, STOP_SECONDS)
        assert service._running.exit_code == exit_code
        await until(lambda: not any(process.is_running() for process in others))
    log = service.log.read_text()
    assert log.count(told) == 1
    assert "worker process" not in log
    assert "Traceback" not in log


async def test_worker_processes_end_with_a_database_that_is_not_migrated(stage: Stage, empty_database_url: str) -> None:
    """The command that helps is told once."""
    service = Crewed(environment(stage.broker, empty_database_url), stage.directory)
    with service:
        others = await until(service.others, 20)
        await until(lambda: service._running.exit_code is not None, STOP_SECONDS)
        assert service._running.exit_code == 1
        assert service.tail().count("run `bookstream migrate` first") == 1
        assert not any(process.is_running() for process in others)


async def test_waiting_for_postgresql_is_no_reason_to_be_restarted(tmp_path: Path) -> None:
    """Worker processes that have not begun are alive, not ready, and end when they are asked to."""
    nowhere = environment(Broker("127.0.0.1:1", "start."), "postgresql://nobody@127.0.0.1:1/none")
    with Crewed(nowhere, tmp_path) as service:
        await until(lambda: "waiting for PostgreSQL" in service.tail(), STOP_SECONDS)
        waiting = [f"worker process {number}: has not begun" for number in range(2, WORKERS + 1)]
        assert (await asyncio.to_thread(service.problems))[1:] == waiting
        assert await asyncio.to_thread(service.get, "/livez") == (200, '{"status": "pass", "problems": []}')
        assert service.stop() == 0


async def test_workers_begin_when_kafka_is_there(stage: Stage) -> None:
    """Until the topics are there the processes are alive, not ready; that signing is off is told once, not by each."""
    elsewhere = Broker(stage.broker.bootstrap, f"{stage.broker.prefix}later.")
    settings = environment(elsewhere, stage.database_url)
    with Crewed(settings, stage.directory) as service:
        await until(lambda: "Kafka lacks the topics" in service.log.read_text(), STOP_SECONDS)
        assert "worker process 2: has not begun" in await asyncio.to_thread(service.problems)
        status, _ = await asyncio.to_thread(service.get, "/livez")
        assert status == 200
        await elsewhere.make_topics()
        await service.ready()
        log = service.log.read_text()
        assert log.count("BOOKSTREAM_SIGNING=off") == 1
        assert service.stop() == 0
