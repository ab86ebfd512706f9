"""Signs commands: HMAC-SHA256 with a client's secret over all that the service goes by.

`bs1` is for binary mode, where attributes are headers; `v1` is Standard Webhooks, for structured mode, where the body
holds the whole envelope.
"""

import base64
import binascii
import dataclasses
import hmac
import json
import time
import unicodedata
from collections.abc import Mapping
from typing import Final

from schemas import headers as names
from schemas.message import Message

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  what secrets begin with, none itself
BINARY: Final = "bs1,"
STRUCTURED: Final = "v1,"
_SIGNED: Final = frozenset({names.CONTENT_TYPE, names.CLIENT, names.WEBHOOK_TIMESTAMP})


def sign(message: Message, client_id: str, secret: str, *, timestamp: int | None = None) -> Message:
    """Gives the message with its signature; send it within five minutes of `timestamp` (Unix seconds, now by default).

    Raises ValueError for a secret that is none, and for what must not be signed (control characters).
    """
    values = {name.lower(): value.decode() for name, value in message.headers}
    stamp = str(int(time.time()) if timestamp is None else timestamp)
    own = {names.CLIENT: client_id, names.WEBHOOK_TIMESTAMP: stamp}
    if is_structured(values):
        own[names.WEBHOOK_ID] = json.loads(message.value)["id"]
        prefix, text = STRUCTURED, webhook_text(own[names.WEBHOOK_ID], stamp, message.value)
    else:
        own[names.WEBHOOK_ID] = values[names.CE_ID]
        prefix, text = BINARY, canonical_text(message.topic, message.key, values | own, message.value)
    own[names.WEBHOOK_SIGNATURE] = prefix + signature(secret_key(secret), text)
    kept = [(name, value) for name, value in message.headers if name.lower() not in own]
    return dataclasses.replace(message, headers=[*kept, *((name, value.encode()) for name, value in own.items())])


def is_structured(values: Mapping[str, str]) -> bool:
    """Tells by the headers (values by lower-case name) whether the body holds the whole envelope."""
    content_type = values.get(names.CONTENT_TYPE)
    return content_type is not None and content_type.partition(";")[0].strip().lower() == names.CLOUDEVENTS_JSON


def canonical_text(topic: str, key: bytes | None, values: Mapping[str, str], body: bytes | None) -> bytes:
    """Gives what `bs1` signs: the topic without prefix, the key, the headers by lower-case name, the body.

    Raises ValueError where it could be read in two ways: control characters, or a colon in a header's name.
    """
    signed = sorted([name for name in values if name in _SIGNED or name.startswith("ce_")])
    lines = [f"{name}:{values[name]}" for name in signed]
    shown = "".join(lines)
    if not shown.isprintable() and any(map(_is_control, shown)):
        raise ValueError("a header has control characters")
    if ":" in "".join(signed):
        raise ValueError("a header's name has a colon")
    if key is not None and _has_control(key):
        raise ValueError("the key has control characters")
    head = "\n".join(["", *lines, "", ""])
    return b"bs1\n%b\n%b%b%b" % (topic.encode(), key or b"", head.encode(), body or b"")


def webhook_text(webhook_id: str, timestamp: str, body: bytes | None) -> bytes:
    """Gives what `v1` signs."""
    return b"%b.%b.%b" % (webhook_id.encode(), timestamp.encode(), body or b"")


def signature(key: bytes, text: bytes) -> str:
    """Gives HMAC-SHA256 in base64."""
    return binascii.b2a_base64(hmac.digest(key, text, "sha256"), newline=False).decode()


def secret_key(secret: str) -> bytes:
    """Gives the bytes of a secret as it was handed out; raises ValueError, which doesn't tell it."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key or not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"expected a secret of the form {SECRET_PREFIX}<base64>")
    return key


def _has_control(key: bytes) -> bool:
    if key.isalnum():
        return False
    try:
        return any(map(_is_control, key.decode()))
    except UnicodeDecodeError:
        return any(byte < 0x20 or byte == 0x7F for byte in key)  # noqa: PLR2004  the ranges of ASCII


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"
