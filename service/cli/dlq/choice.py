"""Which dead letters: the filters that `list` and `replay` share."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import click

from service.cli.dlq.letter import Letter
from service.cli.moment import moment

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Offsets = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Choice:
    """Chosen is what fits all that is given; the times are of becoming a dead letter, the place is the first one."""

    reasons: frozenset[str] = frozenset()
    key: str | None = None
    begin: datetime | None = None
    end: datetime | None = None
    topic: str | None = None
    partition: int | None = None
    offsets: Offsets | None = None
    _key: bytes | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key", None if self.key is None else self.key.encode("utf-8", "surrogateescape"))

    def takes(self, letter: Letter) -> bool:
        """Whether the filters let a dead letter through."""
        topic, partition, offset = letter.origin
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (self._key is None or letter.key == self._key)
            and (self.topic is None or topic == self.topic)
            and (self.partition is None or partition == str(self.partition))
            and (self.offsets is None or (offset.isdecimal() and self.offsets[0] <= int(offset) <= self.offsets[1]))
            and (self.begin is None or letter.failed_at >= self.begin)
            and (self.end is None or letter.failed_at < self.end)
        )

    @property
    def name(self) -> str:
        """Names the choice in a few letters: the same filters have the same name."""
        parts = (sorted(self.reasons), self.key, self.begin, self.end, self.topic, self.partition, self.offsets)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _offsets(ctx: click.Context, param: click.Parameter, value: str | None) -> Offsets | None:
    """Reads an offset or a range of them: `17` or `17-99`."""
    del ctx, param
    found = None if value is None else re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", value, re.ASCII)
    if value is not None and found is None:
        raise click.BadParameter(f"{value!r} is no offset or range of them, such as 17 or 17-99")
    return None if found is None else (int(found[1]), int(found[2] or found[1]))


def choice_options(command: Decorated) -> Decorated:
    """Adds the filters to a command, which gets them by their names."""
    for option in (
        click.option("--offset", "offsets", callback=_offsets, metavar="N[-M]", help="Only from these offsets there."),
        click.option("--partition", type=click.IntRange(min=0), metavar="N", help="Only from this partition there."),
        click.option("--topic", metavar="NAME", help="Only what came on this topic (without the prefix)."),
        click.option("--to", "end", callback=moment, metavar="TIME", help="Only what failed before this time."),
        click.option("--from", "begin", callback=moment, metavar="TIME", help="Only what failed at or after it."),
        click.option("--key", help="Only records with this key."),
        click.option("--reason", "reasons", multiple=True, help="Only this dlq_reason; may be given several times."),
    ):
        command = option(command)
    return command


def chosen(**given: Any) -> Choice:
    """Makes the choice out of the options of a command."""
    return Choice(**{**given, "reasons": frozenset(given["reasons"])})
