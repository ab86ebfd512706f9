"""Blanks whom a booking or visit is about: who they are, how to reach them, what was written about them.

What happened stays: state, times, resources, amounts, counts, and the names that other systems know it by. This is the
one change that no state keeps out, since a person may ask for it when everything is long over.
"""

from typing import Final

from service.domain.change import altered
from service.domain.commands import Context
from service.domain.model import Accepted, Aggregate, Decision, Members

BLANK: Final[dict[str, Members]] = {
    "booking": {
        "customer_id": None,
        "guest": None,
        "notes": None,
        "comment": None,
        "ext_properties": {},
    },
    "visit": {
        "customer_id": None,
        "external_customer_id": None,
        "customer": None,
        "name": None,
        "first_name": None,
        "last_name": None,
        "phone": None,
        "email": None,
        "data_fields": None,
        "metadata": None,
    },
}
# The guest is not to be told of it by whoever follows the events.
SILENT: Final[Members] = {"silent": True}


def erase_person(aggregate: Aggregate, context: Context) -> Decision:
    """Blanks the members that tell of a person; unchanged where nothing does."""
    change = altered(aggregate, BLANK[aggregate.kind], context.now, options=SILENT, erased=True)
    return Accepted(change.after, (change,)) if change else Accepted(aggregate)
