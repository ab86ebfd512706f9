"""`bookstream restored`: a new epoch after the database was restored from a backup."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import click
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas import headers as names
from service.cli.connect import Target, find_target, kafka_options, require_topics
from service.cli.database import connected
from service.cli.progress import Progress
from service.consume import fetched
from service.outbox.event import EPOCH_FACTOR
from service.settings import load_settings
from service.store.epoch import READ, begin_epoch

EVENTS: Final = (names.BOOKING_EVENTS, names.VISIT_EVENTS)
FETCH_BYTES: Final = 16 * 1024 * 1024
CHUNK: Final = 5_000
DIGITS: Final = 20
AT_WORK: Final = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bookstream'
"""
NEXT: Final = """epoch {epoch} has begun. What comes next:
  1. start the service, if it does not run: it goes back to the offsets in the database and applies again what was lost
  2. `bookstream positions list` tells of partitions that stopped, and how to go on
  3. when it has caught up, `bookstream resync` publishes every booking and visit in the new epoch, so that consumers
     also get right what could not be applied again"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The epoch that began, the database's before, the greatest on the topics of events, how many events were read."""

    epoch: int
    before: int
    published: int | None
    events: int


@click.command()
@kafka_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--after", type=click.IntRange(min=0), metavar="N", help="Take N as the greatest that was published.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def restored(bootstrap: str | None, prefix: str | None, yes: bool, after: int | None, as_json: bool) -> None:
    """Begin a new epoch, after the database was restored from a backup and before the service runs on it.

    What was committed after the backup is lost here, but was published. The service applies the lost commands again;
    what it publishes from now on has a greater ce_sequence than everything before, so that consumers take it by their
    usual rule. All events that the topics hold are read for the greatest epoch there, since a backup may be older than
    an earlier restore; --after says it instead. The service may run meanwhile: each of its transactions is either over
    before, or in the new epoch.
    """
    settings, target, progress = load_settings(), find_target(bootstrap, prefix), Progress()

    async def work() -> Outcome:
        async with connected(settings, "restored") as connection:
            published, events = (after, 0) if after is not None else await greatest_epoch(target, progress.tell)
            progress.end()
            before = await connection.fetchval(READ)
            _warn(await connection.fetchval(AT_WORK))
            if not yes and sys.stdin.isatty():
                seen = "no events" if published is None else f"events up to epoch {published}"
                click.confirm(
                    f"the database is at epoch {before}, the topics hold {seen}: begin a new one?", abort=True
                )
            epoch = await begin_epoch(connection, -1 if published is None else published)
        return Outcome(epoch, -1 if before is None else before, published, events)

    try:
        outcome = asyncio.run(work())
    except KafkaError as error:
        raise click.ClickException(f"Kafka at {target.bootstrap} failed: {error}; --after goes without it") from error
    click.echo(json.dumps(asdict(outcome)) if as_json else NEXT.format(epoch=outcome.epoch))


def _warn(sessions: int) -> None:
    if sessions:
        told = "the service runs: what it has applied since the restore bears the old epoch, until the resync"
        click.echo(f"warning: {told}", err=True)


async def greatest_epoch(target: Target, tell: Callable[[str], None]) -> tuple[int | None, int]:
    """Reads all events that lie there, and gives the greatest epoch of their sequences and how many they are."""
    await require_topics(target, EVENTS)
    fetched.install()
    found, count = -1, 0
    async with AIOKafkaConsumer(
        client_id="bookstream-restored",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=FETCH_BYTES,
        **target.options,
    ) as consumer:
        topics = [target.prefix + name for name in EVENTS]
        await consumer._client.set_topics(topics)  # noqa: SLF001  partitions are known of these alone
        places = [TopicPartition(one, number) for one in topics for number in consumer.partitions_for_topic(one) or ()]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        total = sum(ends.values()) - sum((await consumer.beginning_offsets(places)).values())
        while left := [place for place, end in ends.items() if await consumer.position(place) < end]:
            for records in (await consumer.getmany(*left, timeout_ms=1_000, max_records=CHUNK)).values():
                count += len(records)
                found = max(found, *map(epoch_of, records))
            tell(f"{count} of {total} events read")
    return (None if found < 0 else found), count


def epoch_of(record: ConsumerRecord) -> int:
    """The epoch of an event, -1 where it does not say."""
    text = next((value for name, value in record.headers if name == names.CE_SEQUENCE), None)
    return int(text) // EPOCH_FACTOR if text is not None and text.isdigit() and len(text) == DIGITS else -1
