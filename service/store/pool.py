"""Connections to PostgreSQL, and which of its errors mean that it can't be had now."""

from typing import Any, Final, TypeAlias

import asyncpg

from service.store import arrays

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
CONNECT_TIMEOUT: Final = 5.0
COMMAND_TIMEOUT: Final = 60.0
# A process that is frozen or cut off in mid-transaction keeps its rows locked from those who took its partitions over.
# Its membership of the group ends after the same time (`SESSION_TIMEOUT_MS` in consume).
SILENT: Final = "6s"
_SESSION: Final = {
    "idle_in_transaction_session_timeout": SILENT,
    "tcp_user_timeout": SILENT,
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "2",
}

# A fault of the data or of a constraint is somebody's in the batch; the statement can be tried again without them.
DATA_ERRORS: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
# Lost against another transaction: the same batch goes through when it is tried again.
RACE_ERRORS: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
OUTAGE_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalServerError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


async def _nothing_to_reset(connection: Connection) -> None:
    """Saves a round trip for each batch: nothing here changes a session, all of it ends with its transaction."""
    del connection


def make_pool(database_url: str, *, size: int = 4, application_name: str = "bookstream") -> "asyncpg.Pool[Any]":
    """Makes a pool of at most `size` connections, opened when they are needed; enter it before use."""
    arrays.install()
    return asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=size,
        timeout=CONNECT_TIMEOUT,
        command_timeout=COMMAND_TIMEOUT,
        reset=_nothing_to_reset,
        server_settings={**_SESSION, "application_name": application_name},
    )
