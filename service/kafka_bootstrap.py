"""aiokafka forgets the connection over which it asks for the cluster when it is stopped in the middle of asking.

Nobody else knows of it: it stays open until the garbage is collected. Stops in the middle are common where a question
to a cluster that may be away has a limit of time.
"""

from contextvars import ContextVar
from typing import Any, Final

import aiokafka.client
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection


def install() -> None:
    """Let a client of aiokafka in this process that fails to start leave no connection behind; again is harmless."""
    aiokafka.client.create_conn = _create_conn
    AIOKafkaClient.bootstrap = _bootstrap


_create: Final = aiokafka.client.create_conn
_original: Final = AIOKafkaClient.bootstrap
_asked: Final[ContextVar[list[AIOKafkaConnection]]] = ContextVar("asked")


async def _create_conn(*address: Any, **options: Any) -> AIOKafkaConnection:
    connection: AIOKafkaConnection = await _create(*address, **options)
    # Those that a client keeps tell it of their end; and its tasks inherit the variable.
    if "on_close" not in options and (asked := _asked.get(None)) is not None:
        asked.append(connection)
    return connection


async def _bootstrap(client: AIOKafkaClient) -> None:
    asked: list[AIOKafkaConnection] = []
    token = _asked.set(asked)
    try:
        await _original(client)
    except BaseException:
        for connection in asked:
            connection.close()
        raise
    finally:
        _asked.reset(token)
