"""The answers to commands, as the service writes them and senders read them."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from schemas.events import OPEN, Changes
from schemas.types import Count, Id, Positive, Text, Word

AggregateType = Literal["booking", "visit", "location"]
Error = Literal[
    "invalid_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "illegal_state_change",
    "restricted",
    "rate_limited",
    "upstream_unavailable",
    "internal_error",
]
Status = Literal[400, 401, 403, 404, 409, 422, 429, 500, 502]


class FieldError(TypedDict):
    """One thing that is wrong with the data of a command."""

    __pydantic_config__ = OPEN  # type: ignore[misc]

    pointer: Annotated[Text, Field(description="JSON Pointer into the data, a missing member's too")]
    detail: Text


class CommandRefused(BaseModel):
    """A command was refused: a problem after RFC 9457 that says what to do next."""

    model_config = OPEN

    type: Annotated[str, Field(pattern="^urn:bookstream:[a-z_]+:[a-z_]+$")]
    title: Text
    status: Status
    error: Error
    detail: Word
    message: Text
    retryable: bool
    command_id: Text
    command_source: Text
    account_id: Id | None
    aggregate_type: AggregateType
    aggregate_id: Id
    current_version: Positive | None
    available_actions: list[Word] | None
    errors: Annotated[list[FieldError], Field(max_length=100)]
    retry_after: Count | None


class Sibling(TypedDict):
    """What became of another booking of the group."""

    __pydantic_config__ = OPEN  # type: ignore[misc]

    booking_id: Id
    outcome: Literal["applied", "unchanged", "refused", "validated"]
    version: NotRequired[Positive]
    error: NotRequired[Error]
    detail: NotRequired[Word]


class Preview(TypedDict):
    """What a dry run would have stored, under the name of its aggregate."""

    __pydantic_config__ = OPEN  # type: ignore[misc]

    booking: NotRequired[dict[str, Any]]
    visit: NotRequired[dict[str, Any]]
    settings: NotRequired[dict[str, Any]]
    changes: Changes


class CommandAccepted(BaseModel):
    """A command was accepted; `preview` only answers a dry run."""

    model_config = OPEN

    status: Literal[200]
    outcome: Literal["applied", "unchanged", "validated"]
    command_id: Text
    command_source: Text
    account_id: Id
    aggregate_type: AggregateType
    aggregate_id: Id
    version: Positive
    state: Word | None
    completed: bool
    available_actions: list[Word]
    deprecated: list[Word]
    siblings: Annotated[list[Sibling], Field(max_length=1000)]
    preview: Preview | None
