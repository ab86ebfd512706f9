"""A connection to the database for commands that look at it, and what is said when it can't be had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from service.errors import ServiceError
from service.settings import Settings
from service.store.migrate import pending
from service.store.pool import COMMAND_TIMEOUT, CONNECT_TIMEOUT


@asynccontextmanager
async def connected(settings: Settings, name: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Yields a connection to a database that is at this version; every failure names its remedy."""
    try:
        connection = await asyncpg.connect(
            settings.database_url.get_secret_value(),
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            server_settings={"application_name": f"bookstream {name}"},
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise ServiceError(f"PostgreSQL does not let us in: {_told(error)}; look at BOOKSTREAM_DATABASE_URL") from error
    try:
        missing = await pending(connection)
        if missing:
            names = ", ".join(each.name for each in missing)
            raise ServiceError(f"the database lacks {names}; run `bookstream migrate` first")
        yield connection
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise ServiceError(f"PostgreSQL failed: {_told(error)}; `bookstream doctor` may tell why") from error
    finally:
        await connection.close()


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
