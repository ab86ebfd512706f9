"""Plays the story: sends a chapter, waits for every answer and event that follows from it, and goes on."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer

from service.cli.answers import Answers, Sent
from service.cli.demo.story import Chapter
from service.cli.follow import Follower, Seen

PATIENCE_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.1
Change = tuple[str, str, str, int]


@dataclass(slots=True)
class Played:
    """What was sent, and every record that came."""

    sent: list[Sent] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    events: dict[Change, Seen] = field(default_factory=dict)

    def take(self, seen: Seen) -> None:
        """Keep a record; of an event that comes twice the first counts."""
        self.seen.append(seen)
        if seen.kind == "changed":
            self.events.setdefault((*seen.aggregate, int(seen.value.get("version", 0))), seen)


class Player:
    """Plays chapters through one producer and one follower, which the caller owns."""

    def __init__(self, producer: AIOKafkaProducer, follower: Follower, prefix: str) -> None:
        self.played = Played()
        self._producer = producer
        self._follower = follower
        self._prefix = prefix
        self._answers = Answers()

    async def play(self, chapter: Chapter) -> Sequence[Sent]:
        """Send the commands of a chapter together, and wait; one without an answer in time says so itself."""
        wave = [self._answers.expect(line) for line in chapter.commands]
        self.played.sent += wave
        acknowledged = [
            await self._producer.send(
                self._prefix + sent.outgoing.topic,
                key=sent.outgoing.key,
                value=sent.outgoing.value,
                headers=list(sent.outgoing.headers),
            )
            for sent in wave
        ]
        for sent, metadata in zip(wave, await asyncio.gather(*acknowledged), strict=True):
            self._answers.placed(sent, metadata.partition, metadata.offset)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(self._complete(sent) for sent in wave) and time.monotonic() < deadline:
            await self._listen()
        return wave

    async def read_to_end(self) -> None:
        """Read what lies in the topics beyond what was waited for."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await self._follower.at_end() and time.monotonic() < deadline:
            await self._listen()

    async def _listen(self) -> None:
        for seen in await self._follower.read(POLL_SECONDS):
            self.played.take(seen)
            self._answers.take(seen)

    def _complete(self, sent: Sent) -> bool:
        return sent.answer is not None and all(change in self.played.events for change in changes_of(sent))


def changes_of(sent: Sent) -> list[Change]:
    """Names the changes that an answer speaks of: the aggregate's own first, then those of siblings."""
    if sent.answer is None or sent.answer.kind != "accepted" or sent.repeats:
        return []
    value, (account, kind, identity) = sent.answer.value, sent.answer.aggregate
    own = [(account, kind, identity, int(value["version"]))]
    siblings = [
        (account, "booking", str(one["booking_id"]), int(one["version"]))
        for one in value["siblings"]
        if one["outcome"] == "applied"
    ]
    return [*(own if value["outcome"] == "applied" and kind != "location" else []), *siblings]
