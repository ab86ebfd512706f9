"""What a run keeps of each command until the verdict: in few objects and as JSON, so that a million fit into memory."""

from dataclasses import dataclass
from typing import Self

import orjson

from tests.e2e.model import Command, Identity
from tests.faults.evidence import Asked, CommandKey, Lane, Said

# Account, kind and id.
Name = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What an event said of one aggregate; the snapshot as `frozen` writes it."""

    identity: Identity
    version: int
    snapshot: bytes
    replicated_from: str | None
    timestamp: int


@dataclass(slots=True)
class Observed:
    """All that named one command: changes, and what results said, each once."""

    changes: tuple[Change, ...] = ()
    said: tuple[Said, ...] = ()
    results: int = 0

    def change_of(self, identity: Identity) -> Change | None:
        """The change of one aggregate."""
        return next((change for change in self.changes if change.identity == identity), None)


@dataclass(slots=True)
class Filed:
    """The first record of a command; how often it came in all, and how many of those times it wanted an answer."""

    key: CommandKey
    name: Name
    lane: Lane
    system: bool
    reply: bool
    packed: bytes
    times: int = 0
    due: int = 0
    wanted: bool = False

    @classmethod
    def of(cls, asked: Asked, name: Name) -> Self:
        """Packs a command, which hasn't come yet; `name` is shared by all commands of its aggregate."""
        one = asked.command
        parts = (one.id, one.type, one.data, one.internal, asked.offset, asked.expiry, asked.signed)
        return cls((name[0], one.id), name, asked.lane, asked.system, one.reply, frozen(parts))

    def came(self, *, reply: bool) -> None:
        """Counts a record."""
        self.times += 1
        self.wanted |= reply
        self.due += reply or self.reply

    @property
    def asked(self) -> Asked:
        """The command as it lies on its topic."""
        command_id, kind, data, internal, offset, expiry, signed = orjson.loads(self.packed)
        account, about, aggregate_id = self.name
        command = (
            Command(command_id, kind, "visit", aggregate_id, data, internal, self.reply)
            if about == "visit"
            else Command(command_id, kind, "booking", aggregate_id, data, internal, self.reply)
        )
        return Asked(account, command, self.lane, offset, self.system, expiry, signed)


def frozen(value: object) -> bytes:
    """As JSON, the same bytes for the same members."""
    # What orjson gives back holds on to the kilobytes that it was written into; a copy is as long as it is.
    return bytes(memoryview(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)))
