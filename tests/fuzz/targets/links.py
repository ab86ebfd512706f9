"""Tokens of action links, alone and in a command: only ours are read, and only for what they were made."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from service.decode.record import decode
from service.domain.actor import Actor
from service.domain.commands import StateAction
from service.domain.link import Link
from service.links.token import Bearer, read_token, write_token
from service.received import Question, Received
from service.record import append_time
from tests.fuzz.frame import BETWEEN
from tests.fuzz.targets.decode import judge
from tests.support.records import APPENDED_MS, REPLY_TOPICS, record

ENDS: Final = datetime(2026, 12, 24, 20, 0, 0, 123456, tzinfo=UTC)
OVER: Final = datetime(2026, 11, 1, tzinfo=UTC)
SECRETS: Final[Mapping[int, bytes]] = {7: b"k" * 32, 8: b"l" * 32}
BEARERS: Final = (
    Bearer(7, "acc:1", "booking", "b-1.x_y", Link("cancel_by_customer", 3, ENDS)),
    Bearer(7, "acc-1", "booking", "b-1", Link("cancel", 2**63 - 1, ENDS)),
    Bearer(8, "acc-1", "visit", "v-1", Link("confirm", 1, ENDS)),
    Bearer(8, "a" * 64, "visit", ":" * 64, Link("c" * 64, 1, OVER)),
)
TOKENS: Final = {write_token(bearer, SECRETS[bearer.key_id]): bearer for bearer in BEARERS}


def target(data: bytes) -> None:
    """Reads a token; where more parts follow they are account, id and action of a command that bears it."""
    token, *rest = data.decode("utf-8", "surrogatepass" if data.isascii() else "replace").split(BETWEEN.decode())
    assert read_token(token, SECRETS) == TOKENS.get(token)
    if len(rest) >= 4:
        _redeem(token, *rest[:4])


def _redeem(token: str, account_id: str, member: str, aggregate_id: str, action: str) -> None:
    name = "visit_id" if member.startswith("v") else "booking_id"
    topic = "visit-commands" if name == "visit_id" else "booking-commands"
    body = {"account_id": account_id, name: aggregate_id, "action": action, "link": token}
    value = json.dumps({key: each for key, each in body.items() if each}).encode()
    key = aggregate_id.encode("utf-8", "replace")
    made = record("state-action", value, "c-1", topic=topic, key=key, timestamp=APPENDED_MS)
    found = decode(made, REPLY_TOPICS, SECRETS)
    if not isinstance(found, Received) or not isinstance(found.body, Question):
        judge(found)
        return
    context, command = found.body.context, found.body.command
    bearer = TOKENS.get(token)
    assert (context.actor is Actor.CUSTOMER) == (bearer is not None)
    if bearer is not None:
        assert isinstance(command, StateAction)
        named = (context.account_id, command.kind, command.target_id, command.action)
        assert named == (bearer.account_id, bearer.kind, bearer.aggregate_id, bearer.link.action)
        assert append_time(made.timestamp) <= bearer.link.expires_at


def seeds() -> Sequence[bytes]:
    """Tokens alone, and in the commands that they are for and in those of one another."""
    commands = [
        [token, bearer.account_id, bearer.kind, bearer.aggregate_id, bearer.link.action]
        for bearer in BEARERS
        for token in TOKENS
    ]
    return [token.encode() for token in TOKENS] + [BETWEEN.join(part.encode() for part in each) for each in commands]
