"""Members of a booking as commands carry them: what is absent stays absent, what is null stays null."""

from typing import Annotated, Required

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from schemas.types import Id, Instant, Money, Name, Text, text

CLOSED = ConfigDict(extra="forbid", strict=True)
MAX_KEYS = 20
MAX_PATCH_KEYS = 100


def _few_enough(values: dict[str, str | None]) -> dict[str, str | None]:
    """Refuses a patch that sets more keys than the whole map may hold; removals do not count."""
    if len(values) > MAX_KEYS and sum(value is not None for value in values.values()) > MAX_KEYS:
        raise PydanticCustomError("too_many_keys", "must set at most {max} keys", {"max": MAX_KEYS})
    return values


Note = Annotated[str, text(2000)]
Tag = Annotated[str, text(64)]
Key = Annotated[str, text(40, 1)]
Tags = Annotated[list[Tag], Field(max_length=10)]
Types = Annotated[list[Text], Field(max_length=10)]
Properties = Annotated[dict[Key, Text], Field(max_length=MAX_KEYS)]
PropertiesPatch = Annotated[dict[Key, Text | None], Field(max_length=MAX_PATCH_KEYS), AfterValidator(_few_enough)]
GuestCount = Annotated[int, Field(strict=True, ge=1, le=10_000)]


class Guest(TypedDict, total=False):
    """The person who is expected."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    first_name: Name
    last_name: Name
    phone: Text
    email: Text


class GuestPatch(TypedDict, total=False):
    """Change of a guest; null removes a member."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    first_name: Name | None
    last_name: Name | None
    phone: Text | None
    email: Text | None


class NoShowFee(TypedDict, total=False):
    """What is taken from a guest who stays away; the amount to capture is at most the amount pre-authorized."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    amount_pre_authorized: Money
    amount_to_capture: Money


class NoShowFeePatch(TypedDict, total=False):
    """Change of a no-show fee; null removes a member."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    amount_pre_authorized: Money | None
    amount_to_capture: Money | None


class BookingMembers(TypedDict, total=False):
    """A booking at its creation."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    starts_at: Required[Instant]
    ends_at: Required[Instant]
    service_id: Id | None
    provider_id: Id | None
    customer_id: Id | None
    resource_id: Id | None
    status_id: Id | None
    price: Money | None
    notes: Note | None
    guest: Guest | None
    guest_count: GuestCount
    comment: Note | None
    ext_reference_id: Name | None
    ext_reference_number: Name | None
    ext_properties: Properties
    scenario_name: Name | None
    no_show_fee: NoShowFee | None
    tags: Tags
    types: Types
    time_slot_id: Text | None


class BookingPatch(TypedDict, total=False):
    """Change of a booking as a JSON merge patch with deltas of its tags.

    Limits of the merged booking (keys, tags after the deltas, amounts, times) are not checked here.
    """

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    starts_at: Instant
    ends_at: Instant
    location_id: Id
    service_id: Id | None
    provider_id: Id | None
    customer_id: Id | None
    resource_id: Id | None
    status_id: Id | None
    price: Money | None
    notes: Note | None
    guest: GuestPatch | None
    guest_count: GuestCount
    comment: Note | None
    ext_reference_id: Name | None
    ext_reference_number: Name | None
    ext_properties: PropertiesPatch
    scenario_name: Name | None
    no_show_fee: NoShowFeePatch | None
    tags: Tags
    add_tags: Tags
    remove_tags: Tags
    types: Types
    time_slot_id: Text | None


class BookingOptions(TypedDict, total=False):
    """How a change of a booking is made: past the location's overbooking rule, without telling the guest."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]

    allow_overbooking: bool
    silent: bool
