"""One raw producer, kept through every outage and replaced only after a final failure."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.produce import ProduceRequest

from service.backoff import Backoff
from service.relay import produce_message
from service.relay.batch import RawNameBatch, RowBatch
from service.store.lease import Lease, LeaseEnded
from service.telemetry.lookout import Lookout

log = logging.getLogger(__name__)

# The broker's max.message.bytes (1 MiB) applies to the batch with its header.
MAX_BATCH_BYTES = 1024 * 1024 - 16 * 1024
_METADATA_TIMEOUT = 1.0
_CLOSE_SECONDS = 1.0


class TopicUnknownError(Exception):
    """A topic is not in the cluster, or the cluster does not say."""


class NotOwnerError(KafkaError):  # type: ignore[misc]
    """A batch was to be sent by a process that may not publish any more."""


class Producer:
    """Sends ready batches to chosen partitions; at most one of a partition is under way (the caller sees to it).

    After a final failure an idempotent producer answers every later send to that partition with an error, since the
    sequence of the failed batch is missing: only a new producer goes on. A producer in an outage is no such case: it
    keeps what it has, in order, and a second one beside it would send everything twice.

    Each request with records, a repeated one too, is only sent with a proof of the lease, asked for at the last moment
    before the socket: a process that was frozen for however long sends nothing of what it had taken in before.
    """

    def __init__(
        self, options: Mapping[str, Any], *, idempotent: bool = True, waiting: Callable[[], None] = lambda: None
    ) -> None:
        """`waiting` is called each time that Kafka was not there at the start."""
        self._options = options
        self._idempotent = idempotent
        self._waiting = waiting
        self._producer: AIOKafkaProducer | None = None
        self._lookout = Lookout(options)
        self._ending: set[asyncio.Task[None]] = set()
        self._unknown: set[str] = set()
        self._lease: Lease | None = None
        self._broken = False

    def serve(self, lease: Lease) -> None:
        """Publish under this lease, and no other, from now on."""
        self._lease = lease

    @property
    def broken(self) -> bool:
        """Whether a send has failed for good, so that only another producer goes on."""
        return self._broken

    async def start(self) -> None:
        """Connect, however long it takes."""
        backoff = Backoff(0.25)
        told = ""
        while self._producer is None:
            producer = self._make()
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                await producer.stop()
                self._waiting()
                if str(error) != told:
                    told = str(error)
                    log.warning("the relay waits for Kafka: %r", error)
                await asyncio.sleep(backoff.next())
            except BaseException:
                await producer.stop()
                raise
            else:
                self._producer = producer
                kind = "idempotent" if self._idempotent else "NOT idempotent (a retried send may repeat records)"
                log.info("the relay's producer is %s", kind)

    async def stop(self, seconds: float | None = None) -> None:
        """Deliver what is under way, and disconnect.

        With a limit, an outage may leave rows behind that are delivered or not; only without a lease.
        """
        producer, self._producer = self._producer, None
        self._broken = False
        self._unknown.clear()
        await self._lookout.close()
        if producer is None:
            return
        stopping = asyncio.create_task(producer.stop(), name="stop of the relay's producer")
        self._ending.add(stopping)
        stopping.add_done_callback(self._ending.discard)
        await asyncio.wait([stopping], timeout=seconds)
        if stopping.done():
            stopping.result()
        else:
            log.warning("Kafka has not acknowledged everything, and is not waited for; it will be sent again")
            # It would go on trying; without it the producer stops by itself.
            producer._sender.sender_task.cancel()  # noqa: SLF001
            await asyncio.wait([stopping], timeout=_CLOSE_SECONDS)
            # Where a broker does not answer, it would wait for the time limit of each request.
            await producer.client.close()
            stopping.cancel()

    def retire(self) -> None:
        """Go on with another producer, since this one has batches under way that nobody waits for any more."""
        self._broken = True

    async def replace(self, seconds: float | None = None) -> None:
        """Begin anew after a final failure.

        The old producer has nothing under way once this returns, unless there is a limit: then the lease was lost, and
        what is on its way may arrive.
        """
        await self.stop(seconds)
        await self.start()

    async def partitions(self, topic: str) -> int:
        """Number of partitions of a topic; `TopicUnknownError` when it is not known, a second later the first time."""
        client = self._current.client
        known = client.cluster.partitions_for_topic(topic)
        if known is None and topic in self._unknown:
            client.force_metadata_update()
            raise TopicUnknownError(_unknown(topic))
        try:
            async with asyncio.timeout(_METADATA_TIMEOUT):
                count = len(known or await self._current.partitions_for(topic))
        except (KafkaError, TimeoutError) as error:
            self._unknown.add(topic)
            raise TopicUnknownError(_unknown(topic)) from error
        self._unknown.discard(topic)
        return count

    async def answers(self) -> bool:
        """Whether a broker tells of the cluster, asked by a client of its own."""
        try:
            async with asyncio.timeout(_METADATA_TIMEOUT):
                await self._lookout.ask(lambda client: client.topics())
        except (KafkaError, OSError, TimeoutError):
            return False
        return True

    def new_batch(self, *, raw_names: bool = False) -> RowBatch:
        """An empty batch. Its first record is taken whatever its size, so that a large one travels alone."""
        return (RawNameBatch if raw_names else RowBatch)(MAX_BATCH_BYTES)

    async def send(self, batch: BatchBuilder, topic: str, partition: int) -> None:
        """Send and wait for the acknowledgement, without a limit of time; `KafkaError` is a final failure."""
        producer = self._current
        try:
            await (await self._take_in(batch, topic, partition))
        except KafkaError:
            self._broken = self._broken or producer is self._producer
            raise

    async def _take_in(self, batch: BatchBuilder, topic: str, partition: int) -> Awaitable[Any]:
        while True:
            try:
                acknowledged: Awaitable[Any] = await self._current.send_batch(batch, topic, partition=partition)
            except KafkaTimeoutError:
                continue  # the batch was not taken in yet
            return acknowledged

    @property
    def _current(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the producer is not started")
        return self._producer

    def _make(self) -> AIOKafkaProducer:
        produce_message.install()
        producer = AIOKafkaProducer(
            client_id="bookstream-relay",
            acks="all",
            enable_idempotence=self._idempotent,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_BATCH_BYTES,
            **self._options,
        )
        # The library has no other place that every attempt passes at the last moment.
        producer.client.send = self._fenced(producer.client)
        return producer

    def _fenced(self, client: AIOKafkaClient) -> Callable[..., Awaitable[Any]]:
        send = client.send

        async def send_as_owner(node_id: int, request: Any, **options: Any) -> Any:
            if isinstance(request, ProduceRequest):
                # Before the proof, since to make a connection may take long; where there is none, `send` says so.
                await client.ready(node_id)
                await self._prove()
            return await send(node_id, request, **options)

        return send_as_owner

    async def _prove(self) -> None:
        if self._lease is None:
            raise NotOwnerError("there is no lease")
        try:
            await self._lease.proof()
        except LeaseEnded as error:
            raise NotOwnerError("the lease has ended") from error


def _unknown(topic: str) -> str:
    return f"Kafka does not tell of topic {topic}; `bookstream topics` creates it"
