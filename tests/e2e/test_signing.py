"""Signed commands through the service as its operators run it: clients come from the command line."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import sign
from schemas.message import Message
from tests.e2e.broker import Sent
from tests.e2e.process import Service, environment, run_to_end
from tests.e2e.stage import Stage, create, open_location, update

pytestmark = pytest.mark.timeout(150)

SWITCHED_OFF_SECONDS = 5.0


def settings(stage: Stage, **more: str) -> dict[str, str]:
    """Settings of a service that wants signatures."""
    return environment(stage.broker, stage.database_url, BOOKSTREAM_SIGNING="required", **more)


def bookstream(stage: Stage, *arguments: str, **more: str) -> Any:
    """Runs `bookstream client` and gives what it prints as JSON, or None."""
    ended = run_to_end(settings(stage, **more), "client", *arguments)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout) if "--json" in arguments or "list" in arguments else None


def add(stage: Stage, *arguments: str) -> dict[str, str]:
    """A client of acc-1."""
    given = ("add", "POS", "--account", "acc-1", "--scopes", "bookings:write,visits:write", *arguments, "--json")
    added: dict[str, str] = bookstream(stage, *given)
    assert set(added) == {"client_id", "secret"}
    return added


def signed(made: Sent, key: Mapping[str, str], *, timestamp: int | None = None) -> Sent:
    """Signs a record."""
    headers = [(name, value) for name, value in made.headers if value is not None]
    message = Message(made.topic, made.key or b"", headers, made.value or b"")
    ready = sign(message, key["client_id"], key["secret"], timestamp=timestamp)
    return Sent(made.topic, made.key, made.value, ready.headers)


async def test_the_life_of_a_client(stage: Stage) -> None:
    """Added, used, rotated, limited, switched off: each is known to a service that runs, within five seconds."""
    first = await asyncio.to_thread(add, stage)
    with Service(settings(stage), stage.directory) as service:
        await service.ready()
        await open_location(stage)
        await stage.send([signed(create("b-1"), first), create("b-2"), signed(create("b-3"), first, timestamp=1)])
        await stage.settle()
        second = await asyncio.to_thread(add, stage)
        await stage.send([signed(update("b-1", "u-1", notes="second"), second)])
        await stage.settle()
        rotated = await asyncio.to_thread(bookstream, stage, "rotate", second["client_id"], "--json")
        await asyncio.to_thread(bookstream, stage, "disable", first["client_id"])
        await asyncio.sleep(SWITCHED_OFF_SECONDS)
        await stage.send(
            [
                signed(update("b-1", "u-2", notes="old secret"), second),
                signed(update("b-1", "u-3", notes="new secret"), rotated),
                signed(update("b-1", "u-4", notes="off"), first),
            ]
        )
        await stage.settle()
        log = service.log.read_text()
    results = await stage.results()
    assert {command: (result["status"], result["detail"]) for command, result in results.items()} == {
        "create-b-2": (401, "invalid_signature"),
        "create-b-3": (401, "stale_signature"),
        "u-4": (401, "api_config_inactive"),
    }
    notes = [event.body["booking"]["notes"] for event in await stage.events()]
    assert notes == [None, "second", "old secret", "new secret"]
    assert "Traceback" not in log
    for key in (first, second, rotated):
        assert key["secret"] not in log


async def test_limits_hold_in_a_running_service(stage: Stage) -> None:
    """Beyond the burst there are refusals that say when to try again; `limits` lifts them."""
    key = await asyncio.to_thread(add, stage, "--burst", "5", "--daily", "6")
    listed = await asyncio.to_thread(bookstream, stage, "list", "--json")
    assert [(each["burst"], each["daily"], each["active"]) for each in listed] == [(5, 6, True)]
    with Service(settings(stage), stage.directory) as service:
        await service.ready()
        await open_location(stage)
        await stage.send(signed(create(f"b-{number}"), key) for number in range(20))
        await stage.settle()
        refused = await stage.results()
        assert len(refused) in (14, 15), "the minute may have ended in between"
        assert {result["detail"] for result in refused.values()} <= {"burst_limit_exceeded", "daily_quota_exceeded"}
        assert all(0 < result["retry_after"] <= 86_400 for result in refused.values())
        lifted = await asyncio.to_thread(
            bookstream, stage, "limits", key["client_id"], "--burst", "0", "--daily", "0", "--json"
        )
        assert (lifted["burst"], lifted["daily"]) == (None, None)
        await asyncio.sleep(SWITCHED_OFF_SECONDS)
        await stage.send(signed(create(f"b-{number}"), key) for number in range(20))
        await stage.settle()
    assert len(await stage.events()) == 20


async def test_topics_must_bear_the_append_time(stage: Stage) -> None:
    """Where signatures are wanted, a topic with its senders' times stops the start with the remedy."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.broker.bootstrap)
    await admin.start()
    name = f"{stage.broker.prefix}booking-commands"
    config = {"message.timestamp.type": "CreateTime"}
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
    finally:
        await admin.close()
    ended = await asyncio.to_thread(run_to_end, settings(stage), "run")
    assert ended.returncode == 1, ended.stderr
    assert "message.timestamp.type=LogAppendTime" in ended.stderr
    assert name in ended.stderr
    with Service(environment(stage.broker, stage.database_url), stage.directory) as unsigned:
        await unsigned.ready()
        assert "BOOKSTREAM_SIGNING=off" in unsigned.log.read_text()


async def test_keys_that_are_missing_stop_the_start(stage: Stage) -> None:
    """Secrets that can't be opened are told at the start, not message by message; exit code 2."""
    key = {"BOOKSTREAM_ENCRYPTION_KEYS": "A" * 43 + "="}
    assert run_to_end(settings(stage, **key), "migrate").returncode == 0
    ended = await asyncio.to_thread(run_to_end, settings(stage), "run")
    assert ended.returncode == 2, ended.stderr
    assert "BOOKSTREAM_ENCRYPTION_KEYS" in ended.stderr
    assert "Traceback" not in ended.stderr
