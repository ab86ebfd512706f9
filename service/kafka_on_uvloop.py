"""aiokafka on uvloop: what a connection that was lost a moment ago answers.

A write to a closed transport is ignored by asyncio's and raises RuntimeError in uvloop's. aiokafka knows the first and
OSError; the other ends its heartbeats for good, so that a member which fetches on is dropped from its group, and a
producer's sender with all that it has under way.
"""

from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_CLOSED: Final = "the handler is closed"


def install() -> None:
    """Let aiokafka take such a write for a broken connection, in this process; again is harmless."""
    AIOKafkaConnection.send = _send


_original: Final = AIOKafkaConnection.send


def _send(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002
    try:
        return _original(connection, request, expect_response)
    except RuntimeError as error:
        if _CLOSED not in str(error):
            raise
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} was lost") from error
