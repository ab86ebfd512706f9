import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.transaction import Transaction

from service.relay.relay import Relay
from service.relay.window import Window
from tests.kafka.harness import Pool, consume_all, fill, make_topics, set_config
from tests.support.kafka_jars import JarKafka, fetch_jars
from tests.support.wait import until

TOPIC = "booking-events"
OWNER = "SELECT pid FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND granted"


def relay(kafka: str, database_url: str, prefix: str) -> Relay:
    """A relay, not yet running."""
    return Relay(database_url=database_url, options={"bootstrap_servers": kafka}, wake=asyncio.Event(), prefix=prefix)


@asynccontextmanager
async def relaying(kafka: str, database_url: str, prefix: str) -> AsyncIterator[Relay]:
    """A relay that runs, stopped at the end."""
    made = relay(kafka, database_url, prefix)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.stop()
        await task


async def drained(pool: Pool) -> None:
    """Wait until the outbox is empty."""
    await until(lambda: empty(pool), 50)


async def empty(pool: Pool) -> bool:
    """Whether the outbox is empty."""
    return bool(await pool.fetchval("SELECT count(*) = 0 FROM outbox"))


def rows(count: int, keys: int = 10, size: int = 0) -> list[tuple[str, bytes, list[list[str | None]], bytes]]:
    """Rows whose value says their place within their key."""
    return [(TOPIC, b"k%d" % (n % keys), [["n", str(n)]], b"%d" % (n // keys) + b" " * size) for n in range(count)]


async def by_key(kafka: str, topic: str, count: int) -> dict[bytes, list[int]]:
    """What was published per key, in order."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for record in await consume_all(kafka, topic, count):
        found[record.key].append(int(record.value))
    return found


def without_repeats(numbers: list[int]) -> list[int]:
    """What a consumer sees that drops what is not greater than the last it saw."""
    seen: list[int] = []
    for number in numbers:
        if not seen or number > seen[-1]:
            seen.append(number)
    return seen


@asynccontextmanager
async def late_row(database_url: str) -> AsyncIterator[Transaction]:
    """A row that has its number, and is there once the transaction is committed."""
    late = await asyncpg.connect(database_url)
    try:
        transaction = late.transaction()
        await transaction.start()
        await late.execute("INSERT INTO outbox (topic, key, headers, value) VALUES ($1, 'late', '[]', '1')", TOPIC)
        yield transaction
    finally:
        await late.close()


async def test_rows_are_published_in_order_and_deleted(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool
) -> None:
    """Every row arrives once, in order within its key, and the outbox is empty afterwards."""
    await make_topics(kafka, topic_prefix, [TOPIC])
    async with relaying(kafka, database_url, topic_prefix) as running:
        await fill(pool, rows(3000, size=1000))
        await drained(pool)
        await until(lambda: running.health.published == 3000)
    found = await by_key(kafka, topic_prefix + TOPIC, 3000)
    assert {key: len(numbers) for key, numbers in found.items()} == {b"k%d" % n: 300 for n in range(10)}
    assert all(numbers == list(range(300)) for numbers in found.values())


async def test_dead_letters_keep_their_bytes(kafka: str, database_url: str, topic_prefix: str, pool: Pool) -> None:
    """Raw header bytes, null headers, a header name that is not UTF-8, no key and no value come out as they went in."""
    await make_topics(kafka, topic_prefix, ["commands-dlq"])
    name = b"n\xff\xc3".decode("utf-8", "surrogateescape")
    raw = bytes(range(256))
    headers: list[list[str | None]] = [["a", raw.decode("latin-1")], ["a", None], ["", ""], ["\u00e6", "x"]]
    await fill(
        pool,
        [
            ("commands-dlq", None, headers, None),
            ("commands-dlq", None, [[name, "\xff"]], b"\xff"),
            ("commands-dlq", raw, [], raw),
        ],
    )
    async with relaying(kafka, database_url, topic_prefix):
        await drained(pool)
    found = await consume_all(kafka, topic_prefix + "commands-dlq", 3)
    first, second, third = sorted(found, key=lambda each: each.timestamp)
    assert {(each.key, each.value, each.headers) for each in (first, second, third)} == {
        (None, None, (("a", raw), ("a", None), ("", b""), ("\u00e6", b"x"))),
        (None, b"\xff", ((name, b"\xff"),)),
        (raw, raw, ()),
    }


async def test_refused_send_holds_its_partition_and_keeps_the_order(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool
) -> None:
    """What the broker refuses for its size waits with all behind it while others flow, then goes first."""
    await make_topics(kafka, topic_prefix, [TOPIC], **{"max.message.bytes": "2000"})
    await make_topics(kafka, topic_prefix, ["command-results"])
    await fill(pool, [(TOPIC, b"k", [], b"0"), (TOPIC, b"k", [], b"1" + b" " * 5000), (TOPIC, b"k", [], b"2")])
    async with relaying(kafka, database_url, topic_prefix) as running:
        await until(lambda: running.health.problems, 30)
        assert "max.message.bytes" in str(running.health.problems)
        await fill(pool, [("command-results", b"%d" % n, [], b"x") for n in range(50)])
        await until(lambda: running.health.published >= 50, 30)
        await set_config(kafka, topic_prefix + TOPIC, {"max.message.bytes": "1000000"})
        await drained(pool)
        await until(lambda: not running.health.problems)
    assert (await by_key(kafka, topic_prefix + TOPIC, 3))[b"k"] == [0, 1, 2]


async def test_row_larger_than_a_batch_travels_alone(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool
) -> None:
    """A row beyond the batch size is sent on its own when the topic takes it."""
    await make_topics(kafka, topic_prefix, [TOPIC], **{"max.message.bytes": "3000000"})
    await fill(pool, [(TOPIC, b"k", [], b"0"), (TOPIC, b"k", [], b"1" + b" " * 1_500_000), (TOPIC, b"k", [], b"2")])
    async with relaying(kafka, database_url, topic_prefix):
        await drained(pool)
    assert (await by_key(kafka, topic_prefix + TOPIC, 3))[b"k"] == [0, 1, 2]


async def test_absent_topic_holds_only_its_rows(kafka: str, database_url: str, topic_prefix: str, pool: Pool) -> None:
    """Rows of a topic that does not exist wait, are complained about, and go when it is created."""
    await make_topics(kafka, topic_prefix, [TOPIC])
    await fill(pool, [("command-results", b"a", [], b"0"), (TOPIC, b"k", [], b"0")])
    async with relaying(kafka, database_url, topic_prefix) as running:
        await until(lambda: running.health.published == 1, 30)
        assert "bookstream topics" in str(running.health.problems)
        await make_topics(kafka, topic_prefix, ["command-results"])
        await drained(pool)


async def test_second_relay_takes_over_when_the_owner_is_cut_off(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool
) -> None:
    """Of two relays one publishes; when its session is ended another goes on, and no key loses its order."""
    await make_topics(kafka, topic_prefix, [TOPIC])
    async with relaying(kafka, database_url, topic_prefix) as one, relaying(kafka, database_url, topic_prefix) as two:
        for turn in range(3):
            await until(lambda: one.health.owner or two.health.owner)
            assert not (one.health.owner and two.health.owner)
            await fill(pool, [(TOPIC, b"k%d" % (n % 5), [], b"%d" % (turn * 400 + n // 5)) for n in range(2000)])
            (pid,) = [each["pid"] for each in await pool.fetch(OWNER)]
            assert await pool.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
            await drained(pool)
    found = await by_key(kafka, topic_prefix + TOPIC, 6000)
    assert all(without_repeats(numbers) == list(range(1200)) for numbers in found.values())


async def test_late_commit_of_a_smaller_number_is_not_passed_by(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool
) -> None:
    """The bound waits for a writer that holds a smaller number, and the next version of its key comes after it."""
    await make_topics(kafka, topic_prefix, [TOPIC])
    async with late_row(database_url) as transaction, relaying(kafka, database_url, topic_prefix) as running:
        await fill(pool, rows(100))
        await until(lambda: running.health.published == 100)
        await transaction.commit()
        await fill(pool, [(TOPIC, b"late", [], b"2")])
        await drained(pool)
    assert (await by_key(kafka, topic_prefix + TOPIC, 102))[b"late"] == [1, 2]


async def test_bound_is_raised_only_over_ended_writers(pool: Pool) -> None:
    """The lower bound stands while a writer of a smaller number lives, and passes what is dead once it has ended."""
    async with pool.acquire() as reader, pool.acquire() as writer:
        window = Window(reader)  # type: ignore[arg-type]
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO outbox (topic, headers) VALUES ('late', '[]')")
        await fill(pool, rows(10))

        async def look() -> int:
            window._looked_at = 0.0
            page = await window.read()
            await window.delete([each.seq for each in page.rows])
            window.pass_by(page, waiting=False)
            return window.at

        assert [await look() for _ in range(4)] == [0, 0, 0, 0]
        await transaction.commit()
        assert await look() == 12
        await fill(pool, rows(1))
        assert [each.seq for each in (await window.read()).rows] == [12]


async def test_large_rows_are_read_in_smaller_portions(pool: Pool) -> None:
    """What is read at once is bounded in bytes, is a prefix in order, and is never empty."""
    await fill(pool, [(TOPIC, b"k", [], None if n % 2 else b"x" * 10_000_000) for n in range(8)])
    await fill(pool, [(TOPIC, b"k", [], b"x" * 20_000_000)])
    async with pool.acquire() as reader:
        window = Window(reader)  # type: ignore[arg-type]
        portions = []
        while found := (await window.read()).rows:
            portions.append([each.seq for each in found])
            await window.delete(portions[-1])
    assert portions == [[1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_order_holds_over_outages_of_the_broker(database_url: str, pool: Pool) -> None:
    """A frozen and a killed broker delay rows, none is lost or out of order, and the owner keeps its lease."""
    fetch_jars()
    with JarKafka() as broker:
        await make_topics(broker.bootstrap, "", [TOPIC])
        async with relaying(broker.bootstrap, database_url, "") as running:
            await fill(pool, rows(500))
            await until(lambda: running.health.published > 0)
            broker.pause_node(1)
            await fill(pool, [(TOPIC, b"k%d" % (n % 10), [], b"%d" % (50 + n // 10)) for n in range(500)])
            frozen = time.monotonic()
            beyond_idle_timeout = frozen + 11
            await until(lambda: running.health.last_beat > beyond_idle_timeout)
            assert running.health.owner
            broker.continue_node(1)
            await drained(pool)
            await asyncio.to_thread(broker.kill_node, 1)
            await fill(pool, [(TOPIC, b"k%d" % (n % 10), [], b"%d" % (100 + n // 10)) for n in range(500)])
            await asyncio.to_thread(broker.resume_node, 1)
            await drained(pool)
            found = await by_key(broker.bootstrap, TOPIC, 1500)
    assert all(numbers == list(range(150)) for numbers in found.values())


async def test_stop_is_not_held_up_by_an_outage(database_url: str, pool: Pool) -> None:
    """While the broker is frozen the relay stops in seconds; its rows stay in the outbox."""
    fetch_jars()
    with JarKafka() as broker:
        await make_topics(broker.bootstrap, "", [TOPIC])
        async with relaying(broker.bootstrap, database_url, "") as running:
            await fill(pool, rows(10))
            await drained(pool)
            broker.pause_node(1)
            await fill(pool, rows(10))
            await until(lambda: running._producer._current._message_accumulator._pending_batches)
        assert await pool.fetchval("SELECT count(*) FROM outbox") == 10
