"""A row of the outbox, and how headers and derived ids are written."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

# Names of this service's derived ids (UUIDv5): the namespace is itself derived, so that it can be recomputed.
NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:bookstream").bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A record to publish: logical topic, key, headers as JSON pairs, value."""

    topic: str
    key: bytes | None
    headers: bytes
    value: bytes | None


def uuid5(name: bytes) -> str:
    """Gives the UUIDv5 (RFC 9562) of a name: the same cause has the same id, also after a restore."""
    digest = bytearray(hashlib.sha1(NAMESPACE + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def encode_headers(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Writes text headers as JSON pairs; values stand as their UTF-8 bytes, each byte a character."""
    return orjson.dumps([(name, _octets(value)) for name, value in pairs])


def encode_raw_headers(pairs: Iterable[tuple[str, bytes | None]]) -> bytes:
    """Writes headers of any bytes, null values included; names may carry bytes as surrogate escapes."""
    written = [(name, None if value is None else value.decode("latin-1")) for name, value in pairs]
    try:
        return orjson.dumps(written)
    except orjson.JSONEncodeError:
        return json.dumps(written).encode()


def _octets(text: str) -> str:
    return text if text.isascii() else text.encode().decode("latin-1")
