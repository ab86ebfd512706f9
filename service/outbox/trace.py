"""The span of a command: what its events and results name as their parent."""

import hashlib

from service.received import Received
from service.trace_context import with_parent


def own_traceparent(received: Received) -> str | None:
    """Gives the sender's trace with the command's own span in it, or None where the sender has none.

    The span's id is derived, not drawn, and the sampled flag stays the sender's: the same command has the same bytes
    after a restore, and whether or not spans are exported.
    """
    traceparent = received.envelope.traceparent
    if traceparent is None:
        return None
    name = b"span/" + received.account_id.encode() + received.command_key + received.content_hash
    return with_parent(traceparent, hashlib.sha1(name, usedforsecurity=False).hexdigest()[:16])
