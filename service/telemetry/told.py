"""What may be said of an error: never the values that it happened with, for they may be about a person."""

import asyncpg
from aiokafka.errors import KafkaError

from service.errors import ServiceError

# Classes of SQLSTATE whose messages quote data: cardinality, data, constraint, and syntax.
_QUOTING = frozenset({"21", "22", "23", "42", "P0"})
_SPEAKING = (OSError, TimeoutError, KafkaError, ServiceError, asyncpg.PostgresError, asyncpg.InterfaceError)


def told(error: BaseException) -> str:
    """Names an error: its class, and its message where that is about servers and settings, not about data."""
    name = type(error).__name__
    state = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.PostgresError) and (state or "")[:2] in _QUOTING:
        constraint = getattr(error, "constraint_name", None)
        return f"{name}({state}{f', {constraint}' if constraint else ''})"
    if not isinstance(error, _SPEAKING):
        return name
    # asyncpg's text has lines for DETAIL and HINT; the first line is the message.
    return f"{name}({str(error).partition(chr(10))[0]})"
