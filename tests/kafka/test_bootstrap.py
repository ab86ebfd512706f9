import asyncio
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.api import Request
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from service import kafka_bootstrap
from service.relay.producer import Producer
from service.telemetry.lookout import Lookout
from tests.support.wait import until


class Questions:
    """Connections over which a request of one kind was sent; none of them is ever answered."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.asked: list[AIOKafkaConnection] = []

    def leave_open(self, kind: type[Request]) -> None:
        """Answer no more requests of this kind."""
        send = AIOKafkaConnection.send

        def sent(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002
            if not isinstance(request, kind):
                return send(connection, request, expect_response)
            self.asked.append(connection)
            return asyncio.get_running_loop().create_future()

        self._patch.setattr(AIOKafkaConnection, "send", sent)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> Questions:
    """Requests to Kafka that are left without an answer."""
    return Questions(monkeypatch)


async def test_a_question_that_is_given_up_leaves_no_connection(kafka: str, questions: Questions) -> None:
    """The one over which a client was asking for the cluster is closed when it is stopped."""
    questions.leave_open(MetadataRequest)
    lookout = Lookout({"bootstrap_servers": kafka})
    await _cancelled(asyncio.create_task(lookout.ask(lambda client: client.topics())), questions)
    await lookout.close()
    assert [one.connected() for one in questions.asked] == [False]


async def test_a_relay_that_stops_while_it_connects_leaves_no_connection(kafka: str, questions: Questions) -> None:
    """The producer that was waiting for its id is stopped."""
    questions.leave_open(InitProducerIdRequest)
    producer = Producer({"bootstrap_servers": kafka})
    await _cancelled(asyncio.create_task(producer.start()), questions)
    await producer.stop()
    assert [one.connected() for one in questions.asked] == [False]


async def test_a_client_that_has_started_keeps_its_connections(kafka: str) -> None:
    """Only what a start leaves behind is closed, and the start of one client is none of another's business."""
    kafka_bootstrap.install()
    kafka_bootstrap.install()
    client, other = AIOKafkaClient(bootstrap_servers=kafka), AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
    await client.bootstrap()
    try:
        assert await client.ready(client.get_random_node())
        with pytest.raises(KafkaConnectionError):
            await other.bootstrap()
        assert [one.connected() for one in client._conns.values()] == [True]
    finally:
        await client.close()


async def _cancelled(task: "asyncio.Task[Any]", questions: Questions) -> None:
    await until(lambda: questions.asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
