import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.coordination import FindCoordinatorRequest

from service import kafka_on_uvloop

_LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.mark.parametrize("loop", list(_LOOPS))
def test_a_request_on_a_lost_connection_is_a_connection_error(kafka: str, loop: str) -> None:
    """Whatever the loop's transports make of a write after their end, nobody takes it for a defect."""
    kafka_on_uvloop.install()
    kafka_on_uvloop.install()
    host, port = kafka.split(":")
    with asyncio.Runner(loop_factory=_LOOPS[loop]) as runner:
        runner.run(_ask_after_the_end(lambda: create_conn(host, int(port), client_id="lost")))


async def _ask_after_the_end(connect: Callable[[], Awaitable[AIOKafkaConnection]]) -> None:
    connection = await connect()
    request = FindCoordinatorRequest("group", 0)
    assert (await connection.send(request)).API_KEY == request.API_KEY
    connection._writer.transport.abort()
    # The transport is closed now, and the connection has not heard of it yet.
    await asyncio.sleep(0)
    with pytest.raises(KafkaConnectionError):
        await connection.send(request)
    assert not connection.connected()
