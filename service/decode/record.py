"""Decodes one record, step by step in the order of the contract's guards."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from schemas.commands import COMMANDS
from schemas.headers import DLQ_LAST_OFFSET, ERASE_PERSON
from service.decode.authenticate import Sender, account_of, authenticate, is_internal, lacks_scope
from service.decode.body import aggregate_named, read_body, to_command, usable_id
from service.decode.envelope import open_envelope
from service.decode.fingerprint import command_key, content_hash
from service.decode.headers import read_headers
from service.decode.link import link_of, prove
from service.decode.signature import Directory
from service.domain.actor import Actor
from service.domain.commands import Context
from service.domain.model import Fault, Kind, Reason, Refused
from service.received import NO_ACCOUNT, DeadLetter, Envelope, Question, Received
from service.record import Record, UnreadableBatch, append_time

MAX_VALUE_BYTES = 256 * 1024
MAX_FAULTS = 100
NO_SECRETS: Mapping[int, bytes] = MappingProxyType({})
TOPIC_OF: Mapping[str, str] = {"booking": "booking-commands", "visit": "visit-commands"}


def decode(
    record: Record,
    reply_topics: frozenset[str],
    link_secrets: Mapping[int, bytes] = NO_SECRETS,
    clients: Directory | None = None,
) -> Received | DeadLetter:
    """Tells what a record asks; what is no command at all becomes a dead letter, what is wrong otherwise a refusal.

    `link_secrets` are the keys that may have signed an action link. With `clients`, whatever comes on the external
    channels without a link has to be signed by one of them.
    """
    # 1. readable, small enough, and headers that are text
    if isinstance(record.value, UnreadableBatch):
        return _unreadable(record, record.value)
    if record.value is not None and len(record.value) > MAX_VALUE_BYTES:
        return DeadLetter(record, "value_too_large", f"{len(record.value)} bytes, at most {MAX_VALUE_BYTES} are taken")
    headers = read_headers(record)
    if isinstance(headers, DeadLetter):
        return headers
    # 2. a CloudEvents envelope with JSON in it
    opened = open_envelope(record, headers, reply_topics)
    if isinstance(opened, DeadLetter):
        return opened
    envelope, data = opened
    if envelope.type not in COMMANDS:
        return DeadLetter(record, "unknown_type", f"ce_type {envelope.type[:100]!r} is no command")
    # 3. about an aggregate
    if not isinstance(data, dict):
        return DeadLetter(record, "not_an_object", "the data are not a JSON object")
    named = aggregate_named(envelope.type, data)
    if named is None:
        return DeadLetter(record, "no_aggregate_id", "the data name no aggregate by a usable id")
    # 4. from whom
    kind, aggregate_id = named
    internal = is_internal(record)
    command = command_key(envelope.source, envelope.id, internal=internal)
    content = content_hash(envelope.type, data)
    # Whoever writes on the internal channel is somebody without a link.
    token = None if internal else link_of(envelope.type, data)
    sender = (
        authenticate(record, headers, envelope, clients)
        if token is None
        else _linked(record, data, named, token, link_secrets)
    )
    if isinstance(sender, Refused):
        return Received(record, envelope, NO_ACCOUNT, kind, aggregate_id, command, content, sender)
    # 5. what exactly
    account_id = account_of(sender, data)
    if sender.client is not None:
        data.setdefault("account_id", account_id)
    question = _question(record, envelope, data, (account_id, kind, aggregate_id), sender)
    return Received(record, envelope, account_id, kind, aggregate_id, command, content, question, sender.client)


def _unreadable(record: Record, batch: UnreadableBatch) -> DeadLetter:
    """One dead letter stands for all the batch's records: it holds the batch, and names the first and the last."""
    last = (DLQ_LAST_OFFSET, str(batch.last).encode())
    place = record._replace(offset=batch.first, value=bytes(batch), headers=(last,))
    return DeadLetter(place, "unreadable_batch", f"offsets {batch.first} to {batch.last} can't be read: {batch.why}")


def _linked(
    record: Record, data: dict[str, Any], named: tuple[Kind, str], token: str, secrets: Mapping[int, bytes]
) -> Sender | Refused:
    """Gives whom a link makes the sender."""
    account_id = usable_id(data.get("account_id")) or NO_ACCOUNT
    link = prove(token, secrets, data, (account_id, *named), append_time(record.timestamp))
    return link if isinstance(link, Refused) else Sender(Actor.CUSTOMER, link=link)


def _question(
    record: Record, envelope: Envelope, data: dict[str, Any], key: tuple[str, Kind, str], sender: Sender
) -> Question | Refused:
    account_id, kind, aggregate_id = key
    if sender.client is not None and lacks_scope(sender.client, kind):
        return Refused(Reason.SCOPE_DENIED)
    internal = is_internal(record)
    channel = None if internal else _wrong_channel(record, envelope, kind)
    if channel and channel.reason is Reason.ACTOR_NOT_ALLOWED:
        return channel
    body = read_body(envelope.type, data)
    refusals = _of_envelope(record, envelope, kind, aggregate_id)
    if channel is not None:
        refusals.append(channel)
    if internal and link_of(envelope.type, data) is not None:
        refusals.append(Refused(Reason.INVALID_FIELD, (Fault("/link", f"expected on {TOPIC_OF[kind]}"),)))
    if isinstance(body, Refused):
        refusals.append(body)
    if refusals or isinstance(body, Refused):
        return _all_faults(refusals)
    context = Context(account_id, sender.actor, append_time(record.timestamp), body.expected_version)
    return Question(to_command(body, sender.link), context, body.validate_only, body.reason)


def _wrong_channel(record: Record, envelope: Envelope, kind: Kind) -> Refused | None:
    """Outside the internal channel each kind has its topic, locations and erasure none; nobody is the service."""
    if kind == "location" or envelope.type == ERASE_PERSON:
        return Refused(Reason.ACTOR_NOT_ALLOWED)
    if record.topic != TOPIC_OF[kind]:
        return Refused(Reason.WRONG_TOPIC, (Fault(f"/{kind}_id", f"expected on {TOPIC_OF[kind]}"),))
    if envelope.is_own:
        return Refused(Reason.INVALID_FIELD, (Fault("", "ce_source: names that begin with /bookstream are reserved"),))
    return None


def _of_envelope(record: Record, envelope: Envelope, kind: Kind, aggregate_id: str) -> list[Refused]:
    refusals = []
    if envelope.faults:
        refusals.append(Refused(Reason.INVALID_FIELD, envelope.faults))
    if record.key != aggregate_id.encode():
        refusals.append(Refused(Reason.KEY_MISMATCH, (Fault(f"/{kind}_id", "expected to equal the record key"),)))
    return refusals


def _all_faults(refusals: Sequence[Refused]) -> Refused:
    """Puts everything that is wrong into one refusal; its reason is precise where all of it is of one kind."""
    reasons = {refused.reason for refused in refusals}
    faults = tuple(fault for refused in refusals for fault in refused.faults)
    return Refused(reasons.pop() if len(reasons) == 1 else Reason.INVALID_FIELD, faults[:MAX_FAULTS])
