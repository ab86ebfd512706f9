"""`bookstream send`: publishes commands and tells what became of them."""

import asyncio
import io
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

import click
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from service.cli.answers import Answers, Sent
from service.cli.connect import Target, find_target, kafka_options, producing, require_topics
from service.cli.follow import Follower
from service.cli.lines import DEFAULT_SOURCE, TOPICS, LineError, Outgoing, Remark, read_line
from service.cli.render import printable, says

POLL_SECONDS: Final = 0.25
PROGRESS_SECONDS: Final = 5.0
COLOURS: Final = {
    "refused": "yellow",
    "dead letter": "red",
    "no answer": "red",
    "unchanged": "cyan",
    "validated": "cyan",
}


@dataclass(frozen=True, slots=True)
class Options:
    """How it is sent and told."""

    source: str
    wait: bool
    timeout: float
    as_lines_of_json: bool


@dataclass(slots=True)
class Tally:
    """What has happened so far."""

    sent: int = 0
    bad_lines: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    def count(self, outcome: str) -> None:
        """Count one outcome."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def __str__(self) -> str:
        told = [f"{self.sent} sent", *(f"{number} {outcome}" for outcome, number in sorted(self.outcomes.items()))]
        return ", ".join([*told, f"{self.bad_lines} bad lines"] if self.bad_lines else told)


@click.command("send")
@kafka_options
@click.argument("file", type=click.File("r", encoding="utf-8", errors="surrogateescape"))
@click.option("--source", default=DEFAULT_SOURCE, show_default=True, help="ce_source of lines that name none.")
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
    """
    target = find_target(bootstrap, prefix)
    options = Options(source, not no_wait, timeout, as_lines_of_json)
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


class Session:
    """One run of the command."""

    def __init__(self, target: Target, producer: AIOKafkaProducer, options: Options) -> None:
        self.tally = Tally()
        self._target = target
        self._producer = producer
        self._options = options
        self._answers = Answers()
        self._heard = asyncio.Event()
        self._last = time.monotonic()
        self._told = time.monotonic()
        self._under_way: set[asyncio.Task[None]] = set()

    async def publish(self, file: TextIO) -> None:
        """Send every line; order holds within a key, since a producer keeps it within a partition."""
        async for number, text in lines_of(file):
            if not text.strip():
                continue
            try:
                line = read_line(text, number, source=self._options.source, reply=self._options.wait)
            except LineError as error:
                self.tally.bad_lines += 1
                click.echo(f"line {number}: not sent: {printable(str(error))}", err=True)
                continue
            if isinstance(line, Remark):
                await self.settle()
                if not self._options.as_lines_of_json:
                    _show(printable(line.text), bold=True)
                continue
            await self._publish(line)
            self._progress()
        if self._under_way:
            await asyncio.gather(*self._under_way)

    async def settle(self) -> None:
        """Wait until everything that was sent is acknowledged and answered, as long as answers keep coming."""
        if self._under_way:
            await asyncio.gather(*self._under_way)
        self._last = time.monotonic()
        while self._options.wait and self._answers.awaited > 0:
            self._heard.clear()
            left = self._last + self._options.timeout - time.monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(left, PROGRESS_SECONDS)):
                    await self._heard.wait()
            except TimeoutError:
                self._progress()

    async def listen(self, follower: Follower) -> None:
        """Take in answers, for ever."""
        while True:
            for seen in await follower.read(POLL_SECONDS):
                sent = self._answers.take(seen)
                if sent is not None:
                    self._tell(sent)
                    self._last = time.monotonic()
                    self._heard.set()

    def give_up(self) -> None:
        """Tell what has no answer."""
        for sent in self._answers.unanswered():
            self._tell(sent)

    async def _publish(self, line: Outgoing) -> None:
        for warning in line.warnings:
            click.echo(f"line {line.number}: looks wrong, sent all the same: {printable(warning)}", err=True)
        sent = self._answers.expect(line)
        acknowledged = await self._producer.send(
            self._target.prefix + line.topic, key=line.key, value=line.value, headers=list(line.headers)
        )
        self.tally.sent += 1
        task = asyncio.create_task(self._place(sent, acknowledged))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _place(self, sent: Sent, acknowledged: asyncio.Future[Any]) -> None:
        metadata = await acknowledged
        found = self._answers.placed(sent, metadata.partition, metadata.offset)
        if found is not None:
            self._tell(found)
            self._heard.set()

    def _tell(self, sent: Sent) -> None:
        outcome, line, answer = sent.outcome, sent.outgoing, sent.answer
        self.tally.count(outcome)
        if self._options.as_lines_of_json:
            click.echo(json.dumps(_outcome(sent)))
            return
        text = says(answer) if answer is not None else f"no answer within {self._options.timeout:g} s"
        again = "  (as before)" if sent.repeats else ""
        colour = COLOURS.get(outcome, "green")
        _show(f"line {line.number:<4} {printable(f'{line.type:<18} {line.aggregate_id:<12} {text}{again}')}", fg=colour)

    def _progress(self) -> None:
        """On longer work, a line on standard error from time to time."""
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            click.echo(f"... {self.tally}, {self._answers.awaited} awaited", err=True)


def _outcome(sent: Sent) -> dict[str, Any]:
    line, answer = sent.outgoing, sent.answer
    dead = answer is not None and answer.kind == "dead letter"
    letter = {name: text for name, text in (answer.headers if answer else {}).items() if name.startswith("dlq_")}
    return {
        "line": line.number,
        "type": line.type,
        "id": line.id,
        "source": line.source,
        "outcome": sent.outcome,
        "as_before": sent.repeats,
        "answer": letter if dead else dict(answer.value) if answer else None,
    }


def _show(text: str, *, fg: str | None = None, bold: bool = False) -> None:
    click.echo(click.style(text, fg=fg, bold=bold), color=False if os.environ.get("NO_COLOR") else None)


async def lines_of(file: TextIO) -> AsyncIterator[tuple[int, str]]:
    """Yields numbered lines as they come; one that is slow to come keeps nothing else from going on."""
    if isinstance(file, io.StringIO) or file.seekable():
        for number, text in enumerate(file, 1):
            yield number, text
            await asyncio.sleep(0)
        return
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str | None](1_000)

    def read() -> None:
        for text in _then_none(file):
            asyncio.run_coroutine_threadsafe(queue.put(text), loop).result()

    # A daemon: a read that waits for a person cannot be cancelled and must not keep the process from ending.
    threading.Thread(target=read, daemon=True).start()
    number = 0
    while (text := await queue.get()) is not None:
        number += 1
        yield number, text


def _then_none(file: TextIO) -> Iterator[str | None]:
    yield from iter(file.readline, "")
    yield None
