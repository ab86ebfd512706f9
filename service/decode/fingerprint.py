"""The two hashes of the idempotency memory: who said it under which id, and what was said."""

import hashlib
from typing import Any

from service.decode.json_value import canonical

LENGTH = 16


def command_key(source: str, command_id: str, *, internal: bool) -> bytes:
    """Stands for channel (internal or not), source and id; the account is a column of its own beside it."""
    channel = "internal" if internal else "external"
    return hashlib.sha256(f"{channel}\n{len(source)}\n{source}{command_id}".encode(errors="surrogatepass")).digest()[
        :LENGTH
    ]


def content_hash(command_type: str, data: Any) -> bytes:
    """Stands for the command's type and its JSON value, however written."""
    return hashlib.sha256(command_type.encode() + b"\n" + canonical(data)).digest()[:LENGTH]
