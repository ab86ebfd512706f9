"""A dead letter as it lies on its topic, and how it is shown."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import ConsumerRecord

from schemas import headers as names
from service.cli.render import printable
from service.decode.replay import Header, split_headers
from service.domain.instants import instant_text

ATTRIBUTES: Final = {
    "source": names.CE_SOURCE,
    "correlation_id": names.CE_CORRELATIONID,
    "expires_at": names.CE_EXPIRYTIME,
    "traceparent": names.TRACEPARENT,
}
# `send` writes the first by itself, and a signature would not fit what was mended.
NOT_COPIED: Final = frozenset(
    {
        names.CE_SPECVERSION,
        names.CE_ID,
        names.CE_TYPE,
        names.CE_REPLYTO,
        names.CONTENT_TYPE,
        names.CLIENT,
        names.WEBHOOK_ID,
        names.WEBHOOK_TIMESTAMP,
        names.WEBHOOK_SIGNATURE,
        *ATTRIBUTES.values(),
    }
)


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter: `headers` are all that it has, `sent` those of its sender, `says` our own as text."""

    partition: int
    offset: int
    time: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    sent: tuple[Header, ...]
    says: Mapping[str, str]

    @property
    def id(self) -> str:
        """Names its place among the dead letters, for `show` and `replay`."""
        return f"{names.COMMANDS_DLQ}-{self.partition}-{self.offset}"

    @property
    def reason(self) -> str:
        """Why it is here."""
        return self.says.get(names.DLQ_REASON, "")

    @property
    def origin(self) -> tuple[str, str, str]:
        """Topic, partition and offset of its first coming."""
        says = self.says
        return says.get(names.DLQ_TOPIC, ""), says.get(names.DLQ_PARTITION, ""), says.get(names.DLQ_OFFSET, "")

    @property
    def failed_at(self) -> datetime:
        """When it became a dead letter; where it does not say, when it was published."""
        try:
            found = datetime.fromisoformat(self.says.get(names.DLQ_FAILED_AT, ""))
        except ValueError:
            found = None
        return found if found is not None and found.tzinfo else datetime.fromtimestamp(self.time / 1000, UTC)

    @property
    def is_left_out(self) -> bool:
        """Whether what was sent is not kept here, or can't be read, so that it can't be sent again."""
        return self.reason == "unreadable_batch" or (self.value is None and self.reason == "value_too_large")


def letter_of(record: ConsumerRecord) -> Letter:
    """Reads a record of the dead letters, whatever it holds."""
    sent, ours = split_headers(record.headers)
    says = {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in ours.items()}
    return Letter(
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
        tuple(sent),
        says,
    )


def line(letter: Letter) -> str:
    """One line for people."""
    topic, partition, offset = letter.origin
    attempts = letter.says.get(names.DLQ_ATTEMPTS, "1")
    again = f"  attempt {attempts}" if attempts != "1" else ""
    told = f"{letter.reason}: {letter.says.get(names.DLQ_DETAIL, '')}  (from {topic}/{partition}@{offset}){again}"
    return printable(f"{letter.id:<20} {instant_text(letter.failed_at)}  key {_shown(letter.key) or '-'}  {told}")


def members(letter: Letter) -> dict[str, Any]:
    """What `list --json` says: all but the value."""
    says = letter.says
    topic, partition, offset = letter.origin
    return {
        "id": letter.id,
        "reason": letter.reason,
        "detail": says.get(names.DLQ_DETAIL),
        "topic": topic,
        "partition": _number(partition),
        "offset": _number(offset),
        "failed_at": says.get(names.DLQ_FAILED_AT),
        "appended_at": says.get(names.DLQ_APPENDED_AT),
        "attempts": _number(says.get(names.DLQ_ATTEMPTS, "")),
        "client": says.get(names.DLQ_CLIENT) or None,
        "key": _shown(letter.key),
        "headers": [[printable(name), _shown(value)] for name, value in letter.headers],
        "size": None if letter.value is None else len(letter.value),
    }


def whole(letter: Letter) -> dict[str, Any]:
    """What `show --json` says: the value as text, and as it is in base64."""
    value = letter.value
    encoded = None if value is None else base64.b64encode(value).decode()
    return {**members(letter), "value": _shown(value), "value_base64": encoded}


def as_command(letter: Letter) -> dict[str, Any] | None:
    """The same as a line for `bookstream send`, under a new id; None when its key or value is no text."""
    try:
        key, value = (None if each is None else each.decode() for each in (letter.key, letter.value))
        headers = {name: None if content is None else content.decode() for name, content in letter.sent}
    except UnicodeError:
        return None
    line = {"topic": letter.origin[0], "key": key}
    try:
        data = json.loads(value or "")
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or names.CE_TYPE not in headers:
        return {**line, "headers": headers, "raw": value or ""}
    given = {member: headers.get(name) for member, name in ATTRIBUTES.items()}
    others = {name: text for name, text in headers.items() if name not in NOT_COPIED}
    attributes = {member: text for member, text in given.items() if text}
    return {"type": headers[names.CE_TYPE], **attributes, **line, "headers": others, "data": data}


def _shown(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "backslashreplace")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None  # noqa: PLR2004
