"""Who sends a command, as the channel and the signature prove it."""

from enum import StrEnum


class Actor(StrEnum):
    """The four kinds of sender."""

    EXTERNAL = "external"
    CUSTOMER = "customer"
    INTERNAL = "internal"
    SYSTEM = "system"

    @property
    def bound_by_policy(self) -> bool:
        """Whether the location's customer policy and blocked states bind this sender."""
        return self is Actor.EXTERNAL or self is Actor.CUSTOMER
