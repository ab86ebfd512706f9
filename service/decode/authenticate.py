"""Who sends a command: told by the channel and the signature, never by a field that the sender fills in.

A command on the internal channel that names the service as its source is `system`; whether one of its timers proves
that is known only where the timers are loaded. A client acts for its own account: another one that it names becomes an
account that nobody has, so that everything about it is answered, counted and remembered as for ids that do not exist.

A dead letter that was sent again bears the topic and the append time of its first coming, so its channel and its age
are judged as they were then; what was verified then is `record.replay.client`, which stands in for a signature.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from service.client import SCOPES, Client
from service.decode.body import usable_id
from service.decode.headers import Headers
from service.decode.signature import Directory, verify
from service.domain.actor import Actor
from service.domain.link import Link
from service.domain.model import Kind, Reason, Refused
from service.received import NO_ACCOUNT, Envelope, nobodys
from service.record import Record

INTERNAL_TOPIC: Final = "internal-commands"


class Sender(NamedTuple):
    """Who sends a command; the client where a signature proved one, the link where that did."""

    actor: Actor
    client: Client | None = None
    link: Link | None = None


EXTERNAL: Final = Sender(Actor.EXTERNAL)


def is_internal(record: Record) -> bool:
    """Whether the record came on the channel that only internal systems and the service itself may write."""
    return record.topic == INTERNAL_TOPIC


def authenticate(record: Record, headers: Headers, envelope: Envelope, clients: Directory | None) -> Sender | Refused:
    """Tells who sends a record; without `clients` the channel alone says so."""
    if is_internal(record):
        return Sender(Actor.SYSTEM if envelope.is_own else Actor.INTERNAL)
    if clients is None:
        return EXTERNAL
    verified = None if record.replay is None else record.replay.client
    client = verify(record, headers, envelope, clients) if verified is None else _as_verified(verified, clients)
    return client if isinstance(client, Refused) else Sender(Actor.EXTERNAL, client)


def _as_verified(client_id: str, clients: Directory) -> Client | Refused:
    """Gives the client that signed a record when it first came; it may have been switched off since."""
    client = clients.find(client_id)
    if client is None:
        return Refused(Reason.INVALID_API_KEY)
    return client if client.active else Refused(Reason.API_CONFIG_INACTIVE)


def lacks_scope(client: Client, kind: Kind) -> bool:
    """Whether a client may not write aggregates of this kind; of locations none may, and is told so elsewhere."""
    scope = SCOPES.get(kind)
    return scope is not None and scope not in client.scopes


def account_of(sender: Sender, data: Mapping[str, Any]) -> str:
    """Gives the account that a command is about; one of a client that is nobody's stands for every other account."""
    given = data.get("account_id")
    if sender.client is None:
        return usable_id(given) or NO_ACCOUNT
    own = sender.client.account_id
    if given == own:
        return own
    named = usable_id(given)
    return own if named is None or named == own else nobodys(own, named)
