"""A row of the outbox, and how headers and derived ids are written."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from typing import Final, NamedTuple

import orjson

from service.compact_json import compact_json

# Names of this service's derived ids (UUIDv5): the namespace is itself derived, so that it can be recomputed.
NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:bookstream").bytes

# The two highest bits of the variant's digit are 10.
_VARIANT: Final = {f"{digit:x}": f"{digit & 0x3 | 0x8:x}" for digit in range(16)}


class Row(NamedTuple):
    """A record to publish: logical topic, key, headers as JSON pairs, value."""

    topic: str
    key: bytes | None
    headers: bytes
    value: bytes | None


def uuid5(name: bytes) -> str:
    """Gives the UUIDv5 (RFC 9562) of a name: the same cause has the same id, also after a restore."""
    text = hashlib.sha1(NAMESPACE + name, usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def constant_headers(pairs: Iterable[tuple[str, str]]) -> str:
    """Writes the headers that all messages of a kind share, to begin `encode_headers` with."""
    return ",".join(f'["{name}",{quoted(value)}]' for name, value in pairs)


def encode_headers(constant: str, pairs: Iterable[tuple[str, str]]) -> bytes:
    """Writes text headers as JSON pairs; values stand as their UTF-8 bytes, each byte a character."""
    return f"[{','.join(filter(None, (constant, constant_headers(pairs))))}]".encode()


def quoted(value: str) -> str:
    """Writes a header's text as JSON, each byte of its UTF-8 a character."""
    if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return orjson.dumps(value.encode().decode("latin-1")).decode()


def encode_raw_headers(pairs: Iterable[tuple[str, bytes | None]]) -> bytes:
    """Writes headers of any bytes, null values included; names may carry bytes as surrogate escapes."""
    written = [(name, None if value is None else value.decode("latin-1")) for name, value in pairs]
    try:
        return compact_json(written)
    except orjson.JSONEncodeError:
        return json.dumps(written).encode()
