"""`bookstream positions`: where the service goes on in each partition, and how to set it anew."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import click
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from service.cli.connect import Target, find_target, kafka_options, require_topics
from service.cli.database import connected
from service.cli.pause import RUNNING_BATCHES, caller
from service.cli.render import printable
from service.consume.positions import Bounds, Place, read_bounds, stored_places
from service.errors import ServiceError
from service.settings import Settings, load_settings
from service.store.pause import batches_ended, begin_pause, end_pause
from service.store.pool import Connection
from service.topics import CONSUMED_TOPICS

SET: Final = """
INSERT INTO progress (topic, partition, next_offset, cluster_id, topic_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (topic, partition) DO UPDATE
SET next_offset = excluded.next_offset, cluster_id = excluded.cluster_id, topic_id = excluded.topic_id
"""


@dataclass(frozen=True, slots=True)
class Log:
    """What Kafka holds, and where the database goes on in it; a partition without a place was never consumed."""

    partitions: Sequence[TopicPartition]
    bounds: Bounds
    places: dict[TopicPartition, Place]


@dataclass(frozen=True, slots=True)
class Move:
    """A position that is to be set; `before` is None where nothing was consumed yet."""

    name: str
    partition: TopicPartition
    before: int | None
    following: int

    def __str__(self) -> str:
        before = "the beginning" if self.before is None else str(self.before)
        told = f"{self.name}: from {before} to {self.following}"
        if self.before is not None and self.following > self.before:
            return f"{told}; {self.following - self.before} offsets are passed over and never applied"
        return told


@click.group()
def positions() -> None:
    """Where the service goes on in each partition of its commands. Each subcommand takes --json.

    The database holds the positions, and moves them with what was decided. The offsets that Kafka has for the group are
    for lag tools only: setting those changes nothing.
    """


@positions.command("list")
@kafka_options
@click.option("--json", "as_json", is_flag=True, help="A JSON list, for other programs.")
def list_positions(bootstrap: str | None, prefix: str | None, as_json: bool) -> None:
    """List each partition: next offset, what the log holds, how many records wait, and what is wrong."""
    log = _run(_read(load_settings(), find_target(bootstrap, prefix)))
    found = [_members(log, each, find_target(bootstrap, prefix).prefix) for each in log.partitions]
    if as_json:
        click.echo(json.dumps(found))
        return
    for each in found:
        told = f"next {each['next']}  log {each['begin']}..{each['end']}  waiting {each['waiting']}"
        click.echo(printable(f"{each['topic']}/{each['partition']:<4} {told}"))
        if each["problem"]:
            click.echo(printable(f"  {each['problem']}"))


@positions.command("set")
@click.argument("targets", metavar="TOPIC[/PARTITION]...", nargs=-1, required=True)
@kafka_options
@click.option("--to", required=True, metavar="earliest|latest|OFFSET", help="Where to go on.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="What was set as JSON, for other programs.")
def set_positions(
    targets: tuple[str, ...], bootstrap: str | None, prefix: str | None, to: str, yes: bool, as_json: bool
) -> None:
    """Set where the service goes on; a process that has the partition follows within seconds.

    For a partition that is stopped because its log is another one, or has lost what was to come next. Going back is
    harmless as long as the idempotency memory reaches: what was decided is only answered again. Going forward passes
    over commands for good.

    \b
    Examples:
      bookstream positions set booking-commands/3 --to earliest
      bookstream positions set booking-commands visit-commands --to latest --yes
    """  # noqa: D301 (click reads the escape)
    if to not in ("earliest", "latest") and not (to.isascii() and to.isdecimal() and len(to) <= 18):  # noqa: PLR2004
        raise click.BadParameter(f"{to!r} is neither earliest, latest nor an offset", param_hint="--to")
    target = find_target(bootstrap, prefix)
    moves = _run(_set(load_settings(), target, targets, to, yes=yes))
    if as_json:
        members = [
            {"topic": each.name.partition("/")[0], "partition": each.partition.partition, "next": each.following}
            for each in moves
        ]
        click.echo(json.dumps(members))
    else:
        for move in moves:
            click.echo(f"set  {move}")


async def _read(settings: Settings, target: Target) -> Log:
    async with connected(settings, "positions") as connection:
        return await _look(connection, target)


async def _look(connection: Connection, target: Target) -> Log:
    await require_topics(target, CONSUMED_TOPICS)
    topics = [target.prefix + name for name in CONSUMED_TOPICS]
    async with AIOKafkaConsumer(
        client_id="bookstream-positions", enable_auto_commit=False, **target.options
    ) as consumer:
        await consumer._client.set_topics(topics)  # noqa: SLF001  partitions are known of these alone
        partitions = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        bounds = await read_bounds(consumer, partitions)
    return Log(partitions, bounds, await stored_places(connection, bounds, partitions, target.prefix))


def _members(log: Log, partition: TopicPartition, prefix: str) -> dict[str, Any]:
    place = log.places.get(partition)
    begin, end = log.bounds.begins[partition], log.bounds.ends[partition]
    following = begin if place is None else place.next
    return {
        "topic": partition.topic.removeprefix(prefix),
        "partition": partition.partition,
        "next": following,
        "begin": begin,
        "end": end,
        "waiting": max(0, end - following),
        "problem": None if place is None else place.problem,
    }


async def _set(settings: Settings, target: Target, targets: Sequence[str], to: str, *, yes: bool) -> list[Move]:
    async with connected(settings, "positions") as connection:
        log = await _look(connection, target)
        moves = [_move(log, each, to, target.prefix) for each in _named(log, targets, target.prefix)]
        if not yes:
            _ask(moves)
        await _write(connection, log, moves)
        return moves


async def _write(connection: Connection, log: Log, moves: Sequence[Move]) -> None:
    """Sets them between batches: after a pause, however short, each process reads its positions anew."""
    begun = await begin_pause(connection, "positions are set", caller())
    try:
        if not await batches_ended(connection, RUNNING_BATCHES):
            raise ServiceError("a batch does not come to its end, so nothing was set; try again later")
        async with connection.transaction():
            for move in moves:
                origin = log.bounds.origin(move.partition)
                topic = move.name.partition("/")[0]
                row = (topic, move.partition.partition, move.following, origin.cluster, origin.topic)
                await connection.execute(SET, *row)
    finally:
        if begun:
            await end_pause(connection, caller())


def _named(log: Log, targets: Sequence[str], prefix: str) -> list[TopicPartition]:
    named: dict[TopicPartition, None] = {}
    for target in targets:
        topic, _, number = target.removeprefix(prefix).partition("/")
        found = [
            each for each in log.partitions if each.topic == prefix + topic and number in ("", str(each.partition))
        ]
        if not found:
            raise click.UsageError(f"{target} is no partition that the service consumes; `bookstream positions list`")
        named.update(dict.fromkeys(found))
    return sorted(named)


def _move(log: Log, partition: TopicPartition, to: str, prefix: str) -> Move:
    begin, end = log.bounds.begins[partition], log.bounds.ends[partition]
    name = f"{partition.topic.removeprefix(prefix)}/{partition.partition}"
    following = {"earliest": begin, "latest": end}.get(to)
    following = int(to) if following is None else following
    if not begin <= following <= end:
        raise ServiceError(f"{name}: the log goes from {begin} to {end}, so {following} is no place to go on")
    place = log.places.get(partition)
    return Move(name, partition, None if place is None else place.next, following)


def _ask(moves: Sequence[Move]) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked; --yes goes without")
    for move in moves:
        click.echo(str(move), err=True)
    click.confirm("set this?", abort=True, err=True)


def _run(work: Any) -> Any:
    try:
        return asyncio.run(work)
    except KafkaError as error:
        raise ServiceError(
            f"Kafka failed: {error or type(error).__name__}; `bookstream doctor` may tell why"
        ) from error
