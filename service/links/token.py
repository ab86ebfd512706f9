"""A token: everything it is bound to, readable by whoever holds it, behind a signature of ours.

    52 characters   base64url of 39 bytes, big-endian: kind (1 booking, 2 visit), length of the account, length of the
                    id, key (4 bytes), version (8), expiry in microseconds since 1970 (8), signature (16)
    the rest        account, id and action one after the other; `:` is written `~`, so that a URL takes it as it is

With ids of 64 characters and such an action a token has 244 characters. Nobody but its own bytes says what it is for,
so a page that is given one needs nothing else to ask for the action.
"""

import base64
import hmac
import re
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple, cast

from service.domain.link import Link

Kind = Literal["booking", "visit"]

MAX_TOKEN: Final = 300
_KINDS: Final[tuple[Kind, ...]] = ("booking", "visit")
_FIELDS: Final = struct.Struct(">BBBIQQ")
_SIGNATURE_BYTES: Final = 16
_HEAD: Final = (_FIELDS.size + _SIGNATURE_BYTES) // 3 * 4
_TOKEN: Final = re.compile(rf"([A-Za-z0-9_-]{{{_HEAD}}})([A-Za-z0-9._~-]+)", re.ASCII)
_DOMAIN: Final = b"bookstream action link 1\n"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Bearer(NamedTuple):
    """Whose action a token offers, and which key signed that."""

    key_id: int
    account_id: str
    kind: Kind
    aggregate_id: str
    link: Link


def write_token(bearer: Bearer, secret: bytes) -> str:
    """Writes and signs a token; the same bearer and secret always give the same one."""
    account_id, link = bearer.account_id, bearer.link
    fields = _FIELDS.pack(
        _KINDS.index(bearer.kind) + 1,
        len(account_id),
        len(bearer.aggregate_id),
        bearer.key_id,
        link.version,
        (link.expires_at - _EPOCH) // _MICROSECOND,
    )
    names = (account_id + bearer.aggregate_id + link.action).replace(":", "~")
    head = base64.urlsafe_b64encode(fields + _signature(secret, fields, names))
    return head.decode() + names


def read_token(token: str, secrets: Mapping[int, bytes]) -> Bearer | None:
    """Gives what a token proves, or None when none of these keys has signed it as it is."""
    match = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN else None
    if match is None:
        return None
    head, names = base64.urlsafe_b64decode(match[1]), match[2]
    fields, signature = head[: _FIELDS.size], head[_FIELDS.size :]
    kind, account_length, id_length, key_id, version, expires = _FIELDS.unpack(fields)
    secret = secrets.get(key_id)
    if secret is None or not hmac.compare_digest(signature, _signature(secret, fields, names)):
        return None
    plain = names.replace("~", ":")
    action_at = account_length + id_length
    return Bearer(
        key_id,
        plain[:account_length],
        _KINDS[kind - 1],
        plain[account_length:action_at],
        Link(plain[action_at:], version, _EPOCH + cast(int, expires) * _MICROSECOND),
    )


def _signature(secret: bytes, fields: bytes, names: str) -> bytes:
    return hmac.digest(secret, _DOMAIN + fields + names.encode(), "sha256")[:_SIGNATURE_BYTES]
