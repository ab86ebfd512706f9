"""Who sends a command: told by the channel alone, never by a field that the sender fills in.

A command on the internal channel that names the service as its source is `system`; whether one of its timers proves
that is known only where the timers are loaded. A dead letter that was sent again bears the topic and the append time of
its first coming, so its channel and its age are judged as they were then; what was verified then is
`record.replay.client`, which stands in for a signature, whose age can't be judged any more.
"""

from service.domain.actor import Actor
from service.received import Envelope
from service.record import Record

INTERNAL_TOPIC = "internal-commands"


def is_internal(record: Record) -> bool:
    """Whether the record came on the channel that only internal systems and the service itself may write."""
    return record.topic == INTERNAL_TOPIC


def authenticate(record: Record, envelope: Envelope) -> Actor:
    """Gives the actor that the channel stands for."""
    if not is_internal(record):
        return Actor.EXTERNAL
    return Actor.SYSTEM if envelope.is_own else Actor.INTERNAL
