"""`bookstream topics`: the topics on the broker."""

import asyncio

import click
from aiokafka.errors import KafkaError

from service.errors import ServiceError
from service.settings import Settings, load_settings
from service.topics import Difference, Topics, wanted


@click.command()
@click.option("--check", is_flag=True, help="Only tell; exit code 1 when a topic is missing or differs.")
def topics(check: bool) -> None:
    """Create missing topics and compare the rest with what is wanted."""
    settings = load_settings()
    try:
        created, differences = asyncio.run(_settle(settings, check=check))
    except (KafkaError, OSError, TimeoutError) as error:
        raise ServiceError(f"the topics can't be settled: {error}; look at BOOKSTREAM_KAFKA_BOOTSTRAP") from error
    for name in created:
        click.echo(f"created  {name}")
    for difference in differences:
        click.echo(f"differs  {difference}")
    if not created and not differences:
        click.echo("every topic is as wanted")
    if check and differences:
        raise SystemExit(1)


async def _settle(settings: Settings, *, check: bool) -> tuple[list[str], list[Difference]]:
    plan = wanted(prefix=settings.topic_prefix, partitions=settings.partitions, replication=settings.replication)
    async with Topics({"bootstrap_servers": settings.kafka_bootstrap}) as admin:
        created = [] if check else await admin.create_missing(plan)
        return created, await admin.compare(plan)
