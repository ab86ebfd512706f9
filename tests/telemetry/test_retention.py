"""How long a command has waited is known to a process that has just begun and can handle none."""

import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from service.telemetry import names
from tests.e2e.broker import PARTITIONS, Sent
from tests.e2e.stage import Stage, create, open_location, stop
from tests.telemetry.scrape import Scrape, scrape_until

DAY = 86_400
OLD = 4 * DAY


async def _append_long_ago(stage: Stage, records: list[Sent]) -> None:
    """Lets the sender say when a record came; the broker would say now."""
    topic = f"{stage.broker.prefix}booking-commands"
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.broker.bootstrap)
    await admin.start()
    try:
        sender = {"message.timestamp.type": "CreateTime"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, sender)])
    finally:
        await admin.close()
    at = int((time.time() - OLD) * 1000)
    async with stage.broker.producer() as producer:
        for record in records:
            headers = list(record.headers)
            await producer.send_and_wait(topic, record.value, record.key, timestamp_ms=at, headers=headers)
    stage.sent += len(records)


def _oldest(found: Scrape) -> float:
    ages = [value for (name, _), value in found.samples.items() if name == names.LAG_SECONDS.name]
    return max(ages) if len(ages) >= 3 * PARTITIONS else 0


@pytest.mark.kafka
@pytest.mark.timeout(150)
async def test_a_late_start_knows_how_old_commands_are(stage: Stage) -> None:
    """Behind by days, and held up: it tells the age by the record's own time; once all is handled, nothing waits."""
    with stage.service("worker,relay") as service:
        await service.ready()
        await open_location(stage)
        assert await stop(service) == 0
    await _append_long_ago(stage, [create(f"b-{number}") for number in range(8)])
    with stage.service("worker,relay") as service:
        async with stage.connection.transaction():
            await stage.connection.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
            await service.ready()
            found = await scrape_until(service, lambda one: _oldest(one) > 0)
            assert OLD <= _oldest(found) < OLD + 300
            assert found.value(names.LAG_RECORDS) == 8
        found = await scrape_until(service, lambda one: one.value(names.LAG_RECORDS) == 0)
        assert _oldest(found) == 0
        assert await stop(service) == 0
