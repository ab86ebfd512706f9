"""Which customer a contact is: derived, so that the same contact is the same customer whoever comes first.

The order is Waitwhile's: an explicit id, else the external id, else the phone number, else the e-mail address.
"""

import hashlib
from typing import Final

from service.domain.model import Members

CONTACT: Final = ("external_customer_id", "phone", "email")
NAMES: Final = ("name", "first_name", "last_name")


def derive_customer_id(account_id: str, visit: Members) -> str | None:
    """Gives the customer id that follows from the first contact datum there is; a name alone derives none."""
    for member in CONTACT:
        contact = visit.get(member)
        if contact is not None:
            text = contact.lower() if member == "email" else contact
            digest = hashlib.sha256(f"{account_id}\n{member}\n{text}".encode()).hexdigest()
            return f"cus-{digest[:32]}"
    return None


def is_identified(visit: Members) -> bool:
    """Tells whether a visit says anything about who comes."""
    return any(visit.get(member) is not None for member in (*CONTACT, *NAMES))
