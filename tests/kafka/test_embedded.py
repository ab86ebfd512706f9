import asyncio

from service.consume.consumer import Consumer
from service.embedded import EmbeddedBroker
from service.relay.relay import Relay
from service.topics import Topics, wanted
from tests.kafka.harness import Pool, StoringTransaction, fill, progress
from tests.support.wait import until


async def test_relay_and_consumer_work_on_the_embedded_broker(pool: Pool, database_url: str) -> None:
    """Without an idempotent producer rows go out in order, and the consumer handles them from its progress."""
    with EmbeddedBroker() as embedded:
        options = {"bootstrap_servers": embedded.bootstrap}
        async with Topics(options) as topics:
            await topics.create_missing(wanted(prefix="p.", partitions=2, replication=1))
        relay = Relay(database_url=database_url, options=options, wake=asyncio.Event(), prefix="p.", idempotent=False)
        relaying = asyncio.create_task(relay.run())
        transaction = StoringTransaction(pool)
        consumer = Consumer(
            options=options,
            pool=pool,
            transaction=transaction,
            topics=["internal-commands"],
            group_id="g",
            prefix="p.",
        )
        await consumer.start()
        await fill(pool, [("internal-commands", b"k", [["h", "\xff"], ["n", None]], b"%d" % n) for n in range(500)])
        await until(lambda: len(transaction.records) == 500, 40)
        await consumer.stop()
        relay.stop()
        await relaying
    assert [each.value for each in transaction.records] == [b"%d" % n for n in range(500)]
    assert transaction.records[0].headers == (("h", b"\xff"), ("n", None))
    partition = transaction.records[0].partition
    assert await progress(pool, "internal-commands", partition) == 500
