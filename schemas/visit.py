"""Members of a visit as commands carry them: what is absent stays absent, what is null stays null."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from schemas.booking import CLOSED, Properties, PropertiesPatch, Tags
from schemas.types import (
    Count,
    Currency,
    Email,
    Id,
    Instant,
    LocalDateTime,
    Locale,
    Money,
    Phone,
    Positive,
    Scalar,
    Text,
    Word,
    text_or_texts,
)

Ids = Annotated[list[Id], Field(max_length=100)]
PartySize = Annotated[int, Field(strict=True, ge=1, le=100)]
Duration = Annotated[int, Field(strict=True, ge=0, le=86_400)]
Values = Annotated[list[Text], Field(max_length=100)]
Selected = Annotated[dict[Id, Scalar], Field(max_length=100)]
Answer = Annotated[str | list[str], text_or_texts(500, 100)]
Answers = Annotated[dict[Id, Answer], Field(max_length=100)]
DEPRECATED = Field(deprecated=True)


class DataField(TypedDict):
    """Answers to one question of the location."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    id: Id
    values: Values


class OutgoingMessage(TypedDict, total=False):
    """The last message to the guest."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    channel: Text
    state: Text


class OutgoingMessagePatch(TypedDict, total=False):
    """Change of an outgoing message; null removes a member."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    channel: Text | None
    state: Text | None


class IncomingMessage(TypedDict, total=False):
    """The last message from the guest."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    channel: Text


class IncomingMessagePatch(TypedDict, total=False):
    """Change of an incoming message; null removes a member."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    channel: Text | None


class MessageInfo(TypedDict, total=False):
    """What was last written to and by the guest."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    last_outgoing: OutgoingMessage
    last_incoming: IncomingMessage


class MessageInfoPatch(TypedDict, total=False):
    """Change of the message info, merged at both levels; null removes a member."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    last_outgoing: OutgoingMessagePatch | None
    last_incoming: IncomingMessagePatch | None


class OrderValue(TypedDict, total=False):
    """What the visit is worth."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    amount: Money
    currency: Currency


class OrderValuePatch(TypedDict, total=False):
    """Change of the order value; null removes a member."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    amount: Money | None
    currency: Currency | None


class CommonVisitMembers(TypedDict, total=False):
    """Members that creation and change of a visit share."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    external_id: Id | None
    customer_id: Id
    external_customer_id: Id | None
    name: Text | None
    first_name: Text | None
    last_name: Text | None
    phone: Phone | None
    email: Email | None
    notes: Annotated[Text | None, DEPRECATED]
    services: Annotated[Selected | None, DEPRECATED]
    resources: Annotated[Selected | None, DEPRECATED]
    fields: Annotated[Answers | None, DEPRECATED]
    public_id: Id | None
    service_ids: Ids | None
    resource_ids: Ids | None
    data_fields: Annotated[list[DataField], Field(max_length=100)] | None
    party_size: PartySize
    wait_duration: Count | None
    position: Positive | None
    state: Word
    tags: Tags
    date: LocalDateTime | None
    duration: Duration | None
    is_block: bool
    source: Text | None
    locale: Locale | None
    policy_consent: bool
    starts_at: Instant | None
    ends_at: Instant | None


class VisitMembers(CommonVisitMembers, total=False):
    """A visit at its creation."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    message_info: MessageInfo | None
    metadata: Properties | None
    order_value: OrderValue | None


class VisitPatch(CommonVisitMembers, total=False):
    """Change of a visit as a JSON merge patch with deltas of its tags.

    Limits of the merged visit (keys, tags after the deltas, times) are not checked here.
    """

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    message_info: MessageInfoPatch | None
    metadata: PropertiesPatch | None
    order_value: OrderValuePatch | None
    add_tags: Tags
    remove_tags: Tags


class VisitOptions(TypedDict, total=False):
    """How a visit is registered or changed; `public_mode` applies the constraints of the public."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    allow_overbooking: bool
    silent: bool
    slot_granularity: Literal["default", "fine"]
    public_mode: bool
