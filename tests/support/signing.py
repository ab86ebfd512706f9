"""Signed records, and clients that tests know."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas import sign
from schemas.message import Message
from schemas.signing import SECRET_PREFIX
from service.client import Client, Secret
from service.record import Record
from tests.support.records import APPENDED_MS, SOURCE

KEY = bytes(range(24))
OTHER_KEY = bytes(range(100, 124))
BOTH = frozenset({"bookings:write", "visits:write"})
VECTOR_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"


def secret_of(key: bytes) -> str:
    """A secret as it is handed out."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def client(client_id: str = "c-7", *keys: bytes, account_id: str = "acc-1", **more: Any) -> Client:
    """A client with one secret unless others are given."""
    made = {"scopes": BOTH, "active": True, **more}
    return Client(account_id, client_id, secrets=tuple(Secret(key) for key in keys or (KEY,)), **made)


@dataclass(slots=True)
class Known:
    """Clients by their ids."""

    clients: Mapping[str, Client] = field(default_factory=lambda: {"c-7": client()})
    asked: list[str] = field(default_factory=list)

    def find(self, client_id: str) -> Client | None:
        """Gives one."""
        self.asked.append(client_id)
        return self.clients.get(client_id)


def signed(made: Record, client_id: str = "c-7", secret: str = VECTOR_SECRET, *, age_ms: int = 0) -> Record:
    """Signs a record as its sender would, so long before it was appended (in milliseconds, down to whole seconds)."""
    pairs = [(name, value) for name, value in made.headers if value is not None]
    message = Message(made.topic, made.key or b"", pairs, made.value or b"")
    ready = sign(message, client_id, secret, timestamp=(made.timestamp - age_ms) // 1000)
    return made._replace(headers=tuple(ready.headers))


def structured(
    command_type: str, data: Mapping[str, Any], command_id: str = "c-1", topic: str = "booking-commands", **more: Any
) -> Record:
    """A record in structured mode."""
    envelope = {"specversion": "1.0", "id": command_id, "source": SOURCE, "type": command_type, "data": data, **more}
    key = str(data.get("booking_id") or data.get("visit_id")).encode()
    content_type = (("content-type", b"application/cloudevents+json"),)
    return Record(topic, 0, 0, key, json.dumps(envelope).encode(), content_type, APPENDED_MS)


def with_header(made: Record, name: str, value: bytes | None) -> Record:
    """The record with a header replaced, or added at the end; None takes it out."""
    kept = [pair for pair in made.headers if pair[0] != name]
    if value is None:
        return made._replace(headers=tuple(kept))
    place = next((number for number, pair in enumerate(made.headers) if pair[0] == name), len(kept))
    return made._replace(headers=(*kept[:place], (name, value), *kept[place:]))


def header_of(made: Record, name: str) -> bytes:
    """The value of a header."""
    return next(value for found, value in made.headers if found == name and value is not None)
