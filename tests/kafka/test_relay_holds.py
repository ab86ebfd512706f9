import pytest

from service.relay.window import MOST_ROWS, MOST_WHILE_FULL, ROWS, Window
from tests.kafka.harness import Pool, fill, make_topics, set_config
from tests.kafka.test_relay import TOPIC, by_key, drained, late_row, relaying, rows
from tests.support.wait import until

pytestmark = pytest.mark.timeout(120)

RESULTS = "command-results"
MANY = """
INSERT INTO outbox (topic, key, headers, value)
SELECT $1, ('k' || n % 7)::bytea, '[]', (n / 7)::text::bytea FROM generate_series(0, $2::int - 1) AS n
"""


@pytest.mark.parametrize("count", [ROWS - 1, ROWS, MOST_ROWS + 4_000])
async def test_rows_that_wait_in_front_keep_nobody_else_waiting(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool, count: int
) -> None:
    """However many rows of an absent topic lie in front, others are sent; when it is there its rows go, in order."""
    await make_topics(kafka, topic_prefix, [TOPIC])
    await pool.execute(MANY, RESULTS, count)
    async with relaying(kafka, database_url, topic_prefix) as running:
        await fill(pool, rows(10))
        await until(lambda: running.health.published == 10)
        await fill(pool, rows(20)[10:])
        await until(lambda: running.health.published == 20)
        assert await pool.fetchval("SELECT count(*) FROM outbox") == count
        assert running.health.low == 1
        await make_topics(kafka, topic_prefix, [RESULTS])
        await pool.execute(MANY.replace("n / 7", "1000000 + n / 7"), RESULTS, 70)
        await drained(pool)
        await until(lambda: not running.health.problems)
    found = await by_key(kafka, topic_prefix + RESULTS, count + 70)
    assert all(numbers == sorted(numbers) for numbers in found.values())
    assert sum(map(len, found.values())) == count + 70


async def test_a_refused_partition_with_many_rows_in_front(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool
) -> None:
    """A partition whose first row is refused holds its thousands alone: its topic's other partitions are sent."""
    await make_topics(kafka, topic_prefix, [TOPIC], **{"max.message.bytes": "60000"})
    await fill(pool, [(TOPIC, b"large", [], b"0" + b" " * 100_000)])
    await pool.execute(MANY.replace("('k' || n % 7)", "'large'").replace("n / 7", "1 + n"), TOPIC, MOST_ROWS + 4_000)
    await fill(pool, rows(1_000, keys=20))
    async with relaying(kafka, database_url, topic_prefix) as running:
        await until(lambda: running.health.published > 500, 40)
        assert len(running.health.problems) == 1
        assert (await pool.fetchval("SELECT count(*) FROM outbox")) > MOST_ROWS + 4_000
        await set_config(kafka, topic_prefix + TOPIC, {"max.message.bytes": "2000000"})
        await drained(pool)
    found = await by_key(kafka, topic_prefix + TOPIC, MOST_ROWS + 4_001 + 1_000)
    assert found.pop(b"large") == list(range(MOST_ROWS + 4_001))
    assert all(numbers == list(range(50)) for numbers in found.values())


async def test_a_late_row_in_front_of_held_ones_goes_before_its_successor(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool
) -> None:
    """Reading does not go on behind held rows while a writer may still leave one before them."""
    await make_topics(kafka, topic_prefix, [TOPIC])
    async with late_row(database_url) as transaction:
        await pool.execute(MANY, RESULTS, ROWS + 100)
        await fill(pool, rows(10))
        async with relaying(kafka, database_url, topic_prefix) as running:
            await until(lambda: running.health.published == 10)
            await transaction.commit()
            await fill(pool, [(TOPIC, b"late", [], b"2")])
            await until(lambda: running.health.published == 12)
    assert (await by_key(kafka, topic_prefix + TOPIC, 12))[b"late"] == [1, 2]


@pytest.mark.parametrize("held", ["topic", "partition"])
async def test_a_late_row_of_what_is_held(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    """A row that is committed while its partition is held, and comes first there, is not left behind."""
    monkeypatch.setattr("service.relay.window._LOOK_EVERY", 0.0)
    monkeypatch.setattr("service.relay.holds.HOLD_SECONDS", 1.0)
    await make_topics(
        kafka, topic_prefix, [TOPIC] if held == "topic" else [TOPIC, RESULTS], **{"max.message.bytes": "60000"}
    )
    async with pool.acquire() as writer:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO outbox (topic, key, headers, value) VALUES ($1, 'k', '[]', '1')", RESULTS)
        await fill(pool, [(RESULTS, b"k", [], b"2" + b" " * 100_000)])
        async with relaying(kafka, database_url, topic_prefix) as running:
            await until(lambda: running.health.problems)
            await transaction.commit()
            for _ in range(5):
                before = running.health.published
                await fill(pool, rows(10))
                await until(lambda: running.health.published == before + 10)  # noqa: B023  it is awaited at once
            assert running.health.low == 1
            await make_topics(kafka, topic_prefix, [RESULTS])
            await set_config(kafka, topic_prefix + RESULTS, {"max.message.bytes": "2000000"})
            await drained(pool)
    assert (await by_key(kafka, topic_prefix + RESULTS, 2))[b"k"] == [1, 2]


async def test_the_place_moves_behind_held_rows_once_writers_have_ended(pool: Pool) -> None:
    """Page after page is passed by, in a bounded number of statements, up to where a writer may still leave a row."""
    await pool.execute(MANY, RESULTS, 3 * ROWS)
    async with pool.acquire() as reader, pool.acquire() as writer:
        window = Window(reader)  # type: ignore[arg-type]

        async def passed() -> int:
            page = await window.read()
            window.pass_by(page, waiting=True)
            return window.at

        async def is_at(place: int) -> bool:
            return await passed() == place

        await until(lambda: is_at(3 * ROWS + 1))
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO outbox (topic, headers) VALUES ('late', '[]')")
        await pool.execute(MANY, RESULTS, ROWS)
        assert {await passed() for _ in range(50)} == {3 * ROWS + 1}
        await transaction.commit()
        await until(lambda: is_at(4 * ROWS + 2))


async def test_pages_grow_while_rows_come_faster_than_they_go(pool: Pool) -> None:
    """A page is twice as large as the full one before it, up to a limit; the end of the outbox makes it small again."""
    await pool.execute(MANY, RESULTS, ROWS + 2 * ROWS + 2 * MOST_WHILE_FULL)
    async with pool.acquire() as reader:
        window, sizes = Window(reader), []  # type: ignore[arg-type]
        for _ in range(6):
            page = await window.read()
            await window.delete([row.seq for row in page.rows])
            window.pass_by(page, waiting=False)
            sizes.append(len(page.rows))
        assert sizes == [ROWS, 2 * ROWS, MOST_WHILE_FULL, MOST_WHILE_FULL, 0, 0]
        await pool.execute(MANY, RESULTS, ROWS + 1)
        assert len((await window.read()).rows) == ROWS


async def test_pages_of_large_rows_do_not_grow(pool: Pool) -> None:
    """What a page takes in memory has its limit, however many small rows the page before had."""
    await pool.execute(MANY, RESULTS, ROWS)
    async with pool.acquire() as reader:
        window = Window(reader)  # type: ignore[arg-type]
        page = await window.read()
        await window.delete([row.seq for row in page.rows])
        window.pass_by(page, waiting=False)
        large = 128 * 1024
        await pool.execute(MANY.replace("(n / 7)::text", f"repeat('x', {large})"), RESULTS, 200)
        page = await window.read()
        assert len(page.rows) == ROWS * 8 * 1024 // large
        assert page.end == page.rows[-1].seq + 1
