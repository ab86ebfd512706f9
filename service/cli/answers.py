"""Pairs what was sent with what came back."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas import headers as names
from service.cli.follow import Seen
from service.cli.lines import Outgoing

Place = tuple[str, int, int]


@dataclass(slots=True, eq=False)
class Sent:
    """A record that was sent; `answer` is the result or dead letter that it got.

    `repeats` tells that the answer is one that an earlier record got: the command had been sent before.
    """

    outgoing: Outgoing
    place: Place
    answer: Seen | None = None
    repeats: bool = False

    @property
    def outcome(self) -> str:
        """One or two words: what became of it."""
        if self.answer is None:
            return "no answer"
        if self.answer.kind == "accepted":
            return str(self.answer.value.get("outcome"))
        return self.answer.kind


@dataclass(slots=True)
class Answers:
    """Results find their command by source and id, dead letters by the place that they name.

    Repeats under one id are answered in the order in which they were sent, as all of them have one key.
    """

    awaited: int = 0
    _by_id: dict[tuple[str, str, str], deque[Sent]] = field(default_factory=dict)
    _by_place: dict[Place, Sent] = field(default_factory=dict)
    _early: dict[Place, Seen] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def expect(self, outgoing: Outgoing) -> Sent:
        """Begins to wait for an answer; call it before the record is sent."""
        sent = Sent(outgoing, (outgoing.topic, -1, -1))
        if outgoing.reply:
            self.awaited += 1
        if outgoing.id is not None:
            name = (outgoing.source, outgoing.id, outgoing.aggregate_id)
            self._by_id.setdefault(name, deque()).append(sent)
        return sent

    def placed(self, sent: Sent, partition: int, offset: int) -> Sent | None:
        """Notes where the record lies; returns it when its dead letter is there already."""
        sent.place = (sent.outgoing.topic, partition, offset)
        self._by_place[sent.place] = sent
        early = self._early.pop(sent.place, None)
        return None if early is None else self._answer(sent, early)

    def take(self, seen: Seen) -> Sent | None:
        """Returns what this record answers, if it is an answer to anything of ours that had none."""
        if seen.kind == "dead letter":
            place = _place(seen)
            sent = self._by_place.get(place)
            if sent is None:
                self._early[place] = seen
                return None
            return self._answer(sent, seen)
        if seen.kind not in ("accepted", "refused"):
            return None
        value = seen.value
        name = (str(value.get("command_source")), str(value.get("command_id")), str(value.get("aggregate_id")))
        waiting = self._by_id.get(name)
        return self._answer(waiting.popleft(), seen) if waiting else None

    def unanswered(self) -> Iterator[Sent]:
        """Lists what has no answer and asked for one, in the order of the lines."""
        left = {sent for waiting in self._by_id.values() for sent in waiting} | set(self._by_place.values())
        yield from sorted(
            (sent for sent in left if sent.answer is None and sent.outgoing.reply), key=lambda s: s.outgoing.number
        )

    def _answer(self, sent: Sent, seen: Seen) -> Sent | None:
        if sent.answer is not None:
            return None
        sent.answer = seen
        if sent.outgoing.reply:
            self.awaited -= 1
        identity = seen.headers.get(names.CE_ID, "")
        if seen.kind != "dead letter":
            sent.repeats = identity in self._told
            self._told.add(identity)
        self._by_place.pop(sent.place, None)
        if sent.outgoing.id is not None:
            self._forget(sent)
        return sent

    def _forget(self, sent: Sent) -> None:
        outgoing = sent.outgoing
        name = (outgoing.source, outgoing.id or "", outgoing.aggregate_id)
        waiting = self._by_id.get(name)
        if waiting and sent in waiting:
            waiting.remove(sent)
        if waiting is not None and not waiting:
            del self._by_id[name]


def _place(seen: Seen) -> Place:
    headers = seen.headers
    partition, offset = headers.get(names.DLQ_PARTITION, ""), headers.get(names.DLQ_OFFSET, "")
    if not (partition.isdecimal() and offset.isdecimal()):
        return headers.get(names.DLQ_TOPIC, ""), -1, -1
    return headers.get(names.DLQ_TOPIC, ""), int(partition), int(offset)
