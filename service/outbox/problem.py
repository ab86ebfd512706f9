"""The table of refusals: what each reason is called, and what its receiver can do next (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.domain.model import Reason


@dataclass(frozen=True, slots=True)
class Problem:
    """How a reason appears in a result."""

    status: int
    error: str
    message: str
    retryable: bool = False


INVALID: Final = "invalid_request"
ILLEGAL: Final = "illegal_state_change"
TITLES: Final[Mapping[str, str]] = {
    INVALID: "The command is invalid",
    "unauthorized": "The sender is not authenticated",
    "forbidden": "The sender may not do this",
    "not_found": "There is no such thing in the account",
    "conflict": "The command conflicts with the state of the account",
    ILLEGAL: "The state does not allow this",
    "restricted": "The merchant does not allow this",
    "rate_limited": "The client sends too much",
    "upstream_unavailable": "The command came too late",
    "internal_error": "The service failed to decide the command",
}
_SEE_ERRORS: Final = "Correct what errors points at and send the command under a new id."

PROBLEMS: Final[Mapping[Reason, Problem]] = {
    Reason.INVALID_FIELD: Problem(400, INVALID, f"Some values are wrong. {_SEE_ERRORS}"),
    Reason.UNKNOWN_FIELD: Problem(400, INVALID, f"Some members are unknown. {_SEE_ERRORS}"),
    Reason.IMMUTABLE_FIELD: Problem(400, INVALID, f"Some members never change. {_SEE_ERRORS}"),
    Reason.KEY_MISMATCH: Problem(400, INVALID, "The record key must be the aggregate's id, since order depends on it."),
    Reason.WRONG_TOPIC: Problem(400, INVALID, "This command belongs on another topic; errors names it."),
    Reason.INVALID_API_KEY: Problem(401, "unauthorized", "No client has this id; ask the operator for a client."),
    Reason.API_CONFIG_INACTIVE: Problem(401, "unauthorized", "The client is switched off; ask the operator."),
    Reason.INVALID_SIGNATURE: Problem(401, "unauthorized", "The signature or action link is not one of ours."),
    Reason.STALE_SIGNATURE: Problem(
        401, "unauthorized", "It was signed more than five minutes before or after it came, or the link has expired."
    ),
    Reason.SCOPE_DENIED: Problem(403, "forbidden", "The client has no scope for this; ask the operator."),
    Reason.ACTOR_NOT_ALLOWED: Problem(403, "forbidden", "This sender may not do this; see who may in the graph."),
    Reason.BOOKING_NOT_FOUND: Problem(404, "not_found", "The account has no booking of this id; create it first."),
    Reason.VISIT_NOT_FOUND: Problem(404, "not_found", "The account has no visit of this id; create it first."),
    Reason.LOCATION_NOT_FOUND: Problem(404, "not_found", "The account has no location of this id; configure it first."),
    Reason.VERSION_CONFLICT: Problem(
        409, "conflict", "The version is not the expected one. Look at the latest event and ask anew.", retryable=True
    ),
    Reason.COMMAND_ID_REUSE: Problem(409, "conflict", "This id was used for another command. Use a new id."),
    Reason.ALREADY_EXISTS: Problem(409, "conflict", "The id is taken in the account. Update it, or use another id."),
    Reason.EXTERNAL_ID_TAKEN: Problem(409, "conflict", "Another visit of the account bears this external id."),
    Reason.SLOT_TAKEN: Problem(409, "conflict", "The resource is held at that time. Choose another time or resource."),
    Reason.GROUP_FULL: Problem(409, "conflict", "The group has 1000 bookings, which is as many as it can hold."),
    Reason.LINK_USED: Problem(409, "conflict", "The action link was used; the latest event carries those of now."),
    Reason.BLOCKED: Problem(409, ILLEGAL, "In this state only internal systems may change it."),
    Reason.READ_ONLY: Problem(409, ILLEGAL, "In this state nobody may change it."),
    Reason.LEVEL_NOT_INCREASING: Problem(409, ILLEGAL, "Levels only increase; available_actions lists what leads on."),
    Reason.ACTION_NOT_AVAILABLE: Problem(
        409, ILLEGAL, "The state does not offer this; available_actions lists what it does."
    ),
    Reason.UNKNOWN_ACTION: Problem(409, ILLEGAL, "The graph knows no such action or state; see available_actions."),
    Reason.CAN_EDIT: Problem(422, "restricted", "The merchant has disabled edits. Do not retry."),
    Reason.BEFORE_EDIT_BOOKING: Problem(422, "restricted", "It is too close to the start for edits. Do not retry."),
    Reason.MAX_CHANGES: Problem(422, "restricted", "The booking has no change left. Do not retry."),
    Reason.CAN_CANCEL: Problem(422, "restricted", "The merchant has disabled cancelling. Do not retry."),
    Reason.MAX_CUSTOMER_VISITS: Problem(422, "restricted", "The customer has as many active visits as allowed here."),
    Reason.USE_CANCEL_ACTION: Problem(
        422, "restricted", "A status can't cancel; send a state-action with action cancel."
    ),
    Reason.BURST_LIMIT_EXCEEDED: Problem(
        429, "rate_limited", "The client's limit for this minute is used up; see retry_after.", retryable=True
    ),
    Reason.DAILY_QUOTA_EXCEEDED: Problem(
        429, "rate_limited", "The client's quota for this day (UTC) is used up; see retry_after.", retryable=True
    ),
    Reason.EXPIRED: Problem(
        502, "upstream_unavailable", "It was decided after its expirytime. Send it under a new id.", retryable=True
    ),
    Reason.INTERNAL_ERROR: Problem(
        500,
        "internal_error",
        "A defect of the service. Send the same id again later; operators were told.",
        retryable=True,
    ),
}
