"""Proves the action link of a command: ours, for this very action on this very aggregate, and not over yet."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.domain.link import Link
from service.domain.model import Kind, Reason, Refused
from service.links.token import MAX_TOKEN, read_token
from service.received import NO_ACCOUNT

LINKED_TYPE = "state-action"
FORGED = Refused(Reason.INVALID_SIGNATURE)
STALE = Refused(Reason.STALE_SIGNATURE)


def link_of(command_type: str, data: Mapping[str, Any]) -> str | None:
    """Gives the link that a command bears; what can't be one is left to the checks of the body."""
    token = data.get("link") if command_type == LINKED_TYPE else None
    return token if isinstance(token, str) and len(token) <= MAX_TOKEN else None


def prove(
    token: str,
    secrets: Mapping[int, bytes],
    data: Mapping[str, Any],
    target: tuple[str, Kind, str],
    now: datetime,
) -> Link | Refused:
    """Gives what the link proves for a command with these data on this target (account, kind, id).

    An account that is missing is a fault of the body, told there. A command that asks by `state` is compared with the
    link when it is known where the aggregate is.
    """
    bearer = read_token(token, secrets)
    account_id, *aggregate = target
    if bearer is None or [bearer.kind, bearer.aggregate_id] != aggregate:
        return FORGED
    if account_id not in (bearer.account_id, NO_ACCOUNT):
        return FORGED
    if data.get("action") not in (bearer.link.action, None):
        return FORGED
    return STALE if now > bearer.link.expires_at else bearer.link
