"""Names of the groups that a booking can belong to; each has a row of its own that new members and actions bump."""

from service.domain.model import Members

LIMIT = 1000


def bulk(bulk_id: str) -> str:
    """The bulk group of bookings that were made together."""
    return f"bulk/{bulk_id}"


def owned(owner_booking_id: str) -> str:
    """The customer bookings of one owner."""
    return f"owner/{owner_booking_id}"


def groups_of(booking: Members) -> tuple[str, ...]:
    """Lists the groups that a booking is a member of."""
    names = []
    if booking["bulk_id"] is not None:
        names.append(bulk(booking["bulk_id"]))
    if booking["owner_booking_id"] is not None:
        names.append(owned(booking["owner_booking_id"]))
    return tuple(names)
