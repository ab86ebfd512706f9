"""One run of `send`: publishes lines, listens for answers, tells what became of each."""

import asyncio
import io
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

import click
from aiokafka import AIOKafkaProducer

from service.cli.answers import Answers, Sent
from service.cli.connect import Target
from service.cli.follow import Follower
from service.cli.lines import LineError, Outgoing, Remark, read_line
from service.cli.render import printable, says
from service.cli.signer import Signer

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
    signer: Signer | None = None


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


class Session:
    """Sends and listens at the same time; the caller owns the producer and the follower."""

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
                if self._options.signer is not None and isinstance(line, Outgoing):
                    line = self._options.signer(line)
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
        for line_number, line in enumerate(file, 1):
            yield line_number, line
        return
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str | None](1_000)

    def read() -> None:
        for text in _then_none(file):
            asyncio.run_coroutine_threadsafe(queue.put(text), loop).result()

    # A daemon: a read that waits for a person cannot be cancelled and must not keep the process from ending.
    threading.Thread(target=read, daemon=True).start()
    number = 0
    while True:
        text = await queue.get()
        if text is None:
            return
        number += 1
        yield number, text


def _then_none(file: TextIO) -> Iterator[str | None]:
    yield from iter(file.readline, "")
    yield None
