"""`bookstream send`: publishes commands and tells what became of them."""

import asyncio
import sys
from pathlib import Path
from typing import TextIO

import click
from aiokafka.errors import KafkaError

from service.cli.connect import Target, find_target, kafka_options, producing, require_topics
from service.cli.follow import Follower
from service.cli.lines import DEFAULT_SOURCE, TOPICS
from service.cli.session import Options, Session, Tally
from service.cli.signer import find_signer


@click.command("send")
@kafka_options
@click.argument("file", type=click.File("r", encoding="utf-8", errors="surrogateescape"))
@click.option("--source", default=DEFAULT_SOURCE, show_default=True, help="ce_source of lines that name none.")
@click.option("--client", "client_id", metavar="ID", help="Sign as this client, with BOOKSTREAM_CLIENT_SECRET.")
@click.option("--secret-file", type=click.Path(path_type=Path), help="Where the client's secret is instead.")
@click.option("--no-wait", is_flag=True, help="Do not wait for answers.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up when no answer has come for so long.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when a command was refused, too.")
@click.option("--json", "as_lines_of_json", is_flag=True, help="Outcomes as lines of JSON, for other programs.")
def send(
    bootstrap: str | None,
    prefix: str | None,
    file: TextIO,
    source: str,
    client_id: str | None,
    secret_file: Path | None,
    no_wait: bool,
    timeout: float,
    strict: bool,
    as_lines_of_json: bool,
) -> None:
    """Publish the commands in FILE (- for standard input), wait, and print what became of each.

    FILE holds one JSON object a line. A command has "type" and "data"; "id" and "source" are its idempotency key: give
    them, and the same line can be sent again without doing anything twice. Optional: "internal", "reply",
    "correlation_id", "expires_at", "traceparent", "topic", "key", "headers". Records that are no command have "raw"
    and "topic". A line {"say": "..."} is a remark; what stands before it is answered before the rest is sent.

    What looks wrong is sent all the same, with a warning: the service decides.

    \b
    Exit codes:
      0  every command has its answer; a refusal is one (see --strict)
      1  some have none, or a line could not be sent
      2  wrong use

    \b
    Examples:
      bookstream send commands.jsonl
      echo '{"type": "state-action", "data": {"account_id": "acc-1",
        "booking_id": "b-1001", "action": "cancel"}}' | bookstream send -
      bookstream send commands.jsonl --client c-7 --secret-file secret
    """  # noqa: D301 (click reads the escape)
    target = find_target(bootstrap, prefix)
    options = Options(source, not no_wait, timeout, as_lines_of_json, find_signer(client_id, secret_file))
    try:
        tally = asyncio.run(_send(target, file, options))
    except KafkaError as error:
        raise click.ClickException(f"Kafka at {target.bootstrap} took no more: {error}") from error
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; what was sent stays sent, and may be sent again") from None
    click.echo(str(tally), err=True)
    refused = tally.outcomes.get("refused", 0) + tally.outcomes.get("dead letter", 0)
    if tally.bad_lines or tally.outcomes.get("no answer") or (strict and refused):
        sys.exit(1)


async def _send(target: Target, file: TextIO, options: Options) -> Tally:
    await require_topics(target, TOPICS)
    async with producing(target) as producer:
        if not options.wait:
            session = Session(target, producer, options)
            await session.publish(file)
            return session.tally
        async with Follower(target) as follower:
            session = Session(target, producer, options)
            listening = asyncio.create_task(session.listen(follower))
            try:
                await session.publish(file)
                await session.settle()
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            session.give_up()
            return session.tally
