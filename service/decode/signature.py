"""Verifies the signature of a record (see `schemas.signing`): whose it is, and that nothing of it was altered."""

import hmac
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

from schemas import headers as names
from schemas.signing import BINARY, STRUCTURED, canonical_text, is_structured, signature, webhook_text
from service.client import Client, Secret
from service.decode.headers import Headers
from service.domain.model import Reason, Refused
from service.received import Envelope
from service.record import Record

MAX_AGE_MS: Final = 5 * 60 * 1000
# Enough for a rotation on both sides; a header full of guesses costs no more than these.
MOST_SIGNATURES: Final = 16
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_TOLD_ONCE: Final = frozenset(
    {names.CLIENT, names.WEBHOOK_ID, names.WEBHOOK_TIMESTAMP, names.WEBHOOK_SIGNATURE, names.CONTENT_TYPE}
)
INVALID: Final = Refused(Reason.INVALID_SIGNATURE)


class Directory(Protocol):
    """Knows clients by their ids."""

    def find(self, client_id: str) -> Client | None:
        """Gives a client, or None where there is no such client."""


def verify(record: Record, headers: Headers, envelope: Envelope, clients: Directory) -> Client | Refused:
    """Gives the client that signed the record as it is, and lately; who can't sign learns nothing about a client."""
    values = headers.values
    client_id = values.get(names.CLIENT)
    if client_id is None:
        return INVALID
    # Who can't be a client needn't be asked for.
    client = clients.find(client_id) if _CLIENT_ID.fullmatch(client_id) else None
    if client is None:
        return Refused(Reason.INVALID_API_KEY)
    if (headers.faults and _ambiguous(record)) or not _is_signed(record, headers, envelope, client.secrets):
        return INVALID
    if not client.active:
        return Refused(Reason.API_CONFIG_INACTIVE)
    if abs(record.timestamp - int(values[names.WEBHOOK_TIMESTAMP]) * 1000) > MAX_AGE_MS:
        return Refused(Reason.STALE_SIGNATURE)
    return client


def _is_signed(record: Record, headers: Headers, envelope: Envelope, secrets: Iterable[Secret]) -> bool:
    values = headers.values
    timestamp, given = values.get(names.WEBHOOK_TIMESTAMP, ""), values.get(names.WEBHOOK_SIGNATURE, "")
    structured = is_structured(values)
    command_id = envelope.id if structured else values.get(names.CE_ID)
    if _SECONDS.fullmatch(timestamp) is None or values.get(names.WEBHOOK_ID) != command_id:
        return False
    prefix = STRUCTURED if structured else BINARY
    candidates = [each for each in given.split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES] if each.startswith(prefix)]
    if not candidates:
        return False
    try:
        text = (
            webhook_text(envelope.id, timestamp, record.value)
            if structured
            else canonical_text(record.topic, record.key, values, record.value)
        )
    except ValueError:
        return False
    live = [each for each in secrets if each.expires_at is None or record.timestamp < each.expires_at]
    wanted = [(prefix + signature(each.key, text)).encode() for each in live]
    # Every pair is compared, each in constant time.
    return any([hmac.compare_digest(each.encode(), one) for each in candidates for one in wanted])  # noqa: C419


def _ambiguous(record: Record) -> bool:
    """Whether a header that the signature speaks of comes twice, so that another reader might take the other one."""
    counted = Counter(name.lower() for name, value in record.headers if value is not None)
    return any(count > 1 and (name in _TOLD_ONCE or name.startswith("ce_")) for name, count in counted.items())
