"""The change events and the snapshots for late consumers, as the service writes them and consumers read them.

Members that a reader does not know are ignored, so that it survives additions within a version.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from schemas.booking import Guest, GuestCount, NoShowFee, Note, Tag, Types
from schemas.types import Count, Id, Instant, LocalDateTime, Money, Name, Positive, Text, Word
from schemas.visit import (
    DataField,
    Duration,
    Ids,
    IncomingMessage,
    OrderValue,
    OutgoingMessage,
    PartySize,
)

OPEN = ConfigDict(extra="ignore", strict=True)

Actor = Literal["external", "internal", "customer", "system"]
Change = Annotated[list[Any], Field(min_length=2, max_length=2)]
Changes = dict[Word, Change]


class GuestState(Guest, total=False):
    """A guest with the members that are set."""

    __pydantic_config__ = OPEN  # type: ignore[misc]


class NoShowFeeState(NoShowFee, total=False):
    """A no-show fee with the members that are set."""

    __pydantic_config__ = OPEN  # type: ignore[misc]


class BookingSnapshot(TypedDict):
    """The whole state of a booking, nulls included."""

    __pydantic_config__ = OPEN  # type: ignore[misc]

    location_id: Id
    state: Word
    graph: Word
    bulk_id: Id | None
    owner_booking_id: Id | None
    starts_at: Instant
    ends_at: Instant
    service_id: Id | None
    provider_id: Id | None
    customer_id: Id | None
    resource_id: Id | None
    status_id: Id | None
    price: Money | None
    notes: Note | None
    guest: GuestState | None
    guest_count: GuestCount
    comment: Note | None
    ext_reference_id: Name | None
    ext_reference_number: Name | None
    ext_properties: dict[str, Text]
    scenario_name: Name | None
    no_show_fee: NoShowFeeState | None
    tags: list[Tag]
    types: Types
    time_slot_id: Text | None
    changes_left: Count | None
    created_at: Instant
    updated_at: Instant


class DataFieldState(DataField):
    """Answers to one question of the location."""

    __pydantic_config__ = OPEN  # type: ignore[misc]


class OutgoingMessageState(OutgoingMessage, total=False):
    """The last message to the guest, with the members that are set."""

    __pydantic_config__ = OPEN  # type: ignore[misc]


class IncomingMessageState(IncomingMessage, total=False):
    """The last message from the guest, with the members that are set."""

    __pydantic_config__ = OPEN  # type: ignore[misc]


class MessageInfoState(TypedDict, total=False):
    """What was last written to and by the guest, with the members that are set."""

    __pydantic_config__ = OPEN  # type: ignore[misc]

    last_outgoing: OutgoingMessageState
    last_incoming: IncomingMessageState


class OrderValueState(OrderValue, total=False):
    """What the visit is worth, with the members that are set."""

    __pydantic_config__ = OPEN  # type: ignore[misc]


class Customer(TypedDict):
    """What the visit tells about its customer."""

    __pydantic_config__ = OPEN  # type: ignore[misc]

    notes: Text | None


class VisitSnapshot(TypedDict):
    """The whole state of a visit, nulls included; deprecated members stand under their successors."""

    __pydantic_config__ = OPEN  # type: ignore[misc]

    location_id: Id
    state: Word
    graph: Word
    external_id: Id | None
    customer_id: Id | None
    external_customer_id: Id | None
    customer: Customer | None
    name: Text | None
    first_name: Text | None
    last_name: Text | None
    phone: Text | None
    email: Text | None
    public_id: Id | None
    service_ids: Ids | None
    resource_ids: Ids | None
    data_fields: list[DataFieldState] | None
    party_size: PartySize
    wait_duration: Count | None
    position: Positive | None
    tags: list[Tag]
    date: LocalDateTime | None
    duration: Duration | None
    is_block: bool
    source: Text | None
    locale: Text | None
    policy_consent: bool
    message_info: MessageInfoState | None
    metadata: dict[str, Text] | None
    order_value: OrderValueState | None
    starts_at: Instant | None
    ends_at: Instant | None
    created_at: Instant
    updated_at: Instant


class ActionLink(TypedDict):
    """A token with which a guest takes one action once."""

    __pydantic_config__ = OPEN  # type: ignore[misc]

    token: Annotated[str, Field(max_length=300, pattern="^[A-Za-z0-9._~-]+$")]
    expires_at: Instant


class ChangeEvent(BaseModel):
    """Members that both change events share; `changes` holds pairs of before and after."""

    model_config = OPEN

    account_id: Id
    version: Positive
    changes: Changes
    action: Word | None
    from_state: Word | None
    to_state: Word
    completed: bool
    available_actions: list[Word]
    actor: Actor
    source: Text
    reason: Text | None
    options: dict[str, Any]
    inputs: dict[str, Any]
    replicated_from: Id | None
    bulk_id: Id | None
    command_id: Text
    silent: bool
    links: dict[Word, ActionLink] | None


class BookingChanged(ChangeEvent):
    """A booking was registered or changed."""

    booking_id: Id
    booking: BookingSnapshot


class VisitChanged(ChangeEvent):
    """A visit was registered or changed."""

    visit_id: Id
    visit: VisitSnapshot


class StandingMessage(BaseModel):
    """Members that both snapshots share."""

    model_config = OPEN

    account_id: Id
    version: Positive
    completed: bool
    available_actions: list[Word]


class BookingSnapshotMessage(StandingMessage):
    """A booking as it stands, for consumers that start late: no change, and of the latest change's `ce_sequence`."""

    booking_id: Id
    booking: BookingSnapshot


class VisitSnapshotMessage(StandingMessage):
    """A visit as it stands, for consumers that start late: no change, and of the latest change's `ce_sequence`."""

    visit_id: Id
    visit: VisitSnapshot


Event = BookingChanged | VisitChanged | BookingSnapshotMessage | VisitSnapshotMessage
