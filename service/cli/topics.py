"""`bookstream topics`: the topics on the broker."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict

import click
from aiokafka.errors import KafkaError

from service.errors import ServiceError
from service.settings import Settings, load_settings
from service.topics import Difference, Topics, wanted


@click.command()
@click.option("--check", is_flag=True, help="Only tell; exit code 1 when a topic is missing or differs.")
@click.option("--json", "as_json", is_flag=True, help="What was created and what differs as JSON, for other programs.")
def topics(check: bool, as_json: bool) -> None:
    """Create missing topics and compare the rest with what is wanted."""
    settings = load_settings()
    try:
        created, differences = asyncio.run(_settle(settings, check=check))
    except (KafkaError, OSError, TimeoutError) as error:
        raise ServiceError(f"the topics can't be settled: {error}; look at BOOKSTREAM_KAFKA_BOOTSTRAP") from error
    if as_json:
        click.echo(json.dumps({"created": created, "differences": [asdict(each) for each in differences]}))
    else:
        _tell(created, differences)
    if check and differences:
        raise SystemExit(1)


def _tell(created: Sequence[str], differences: Sequence[Difference]) -> None:
    for name in created:
        click.echo(f"created  {name}")
    for difference in differences:
        click.echo(f"differs  {difference}")
    if not created and not differences:
        click.echo("every topic is as wanted")


async def _settle(settings: Settings, *, check: bool) -> tuple[list[str], list[Difference]]:
    plan = wanted(prefix=settings.topic_prefix, partitions=settings.partitions, replication=settings.replication)
    async with Topics(settings.kafka_options()) as admin:
        created = [] if check else await admin.create_missing(plan)
        return created, await admin.compare(plan)
