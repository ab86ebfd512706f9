import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.erase import person
from service.erase.erase import Erasure, Report
from service.erase.person import PAGE, Person, next_page
from service.errors import ServiceError
from service.record import Record
from service.relay.headers import parse_headers
from tests.handle.harness import Bench, Pool, graphs
from tests.support.records import APPENDED_MS, act, create, record, update, visit
from tests.support.wait import until

Patch = pytest.MonkeyPatch
ACCOUNT = "acc-1"
PHONE, EMAIL, NAME = "+4790090090", "John@Doe.example", "Canary Doe"
CANARIES = ("90090090", "doe.example", "canary", "c-canary", "nuts")
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
TAKE = "DELETE FROM outbox WHERE topic = 'internal-commands' RETURNING seq, key, headers, value"
GUEST = {"first_name": "Canary", "last_name": "Doe", "phone": "+47 900 90 090", "email": EMAIL.upper()}


@pytest.fixture
async def bench(pool: Pool) -> Bench:
    """Batches over an account that has the location `oslo` alone."""
    return await Bench(pool, graphs()).begin()


@asynccontextmanager
async def served(bench: Bench) -> AsyncIterator[None]:
    """Relay and worker in one: what is sent to the internal channel is carried out."""
    stopping = asyncio.Event()

    async def serve() -> None:
        while not stopping.is_set():
            rows = sorted(tuple(row) for row in await bench.pool.fetch(TAKE))
            if rows:
                await bench.transaction(*await bench.placed([_record(*row[1:]) for row in rows]))
            await asyncio.sleep(0.01)

    task = asyncio.create_task(serve())
    try:
        yield
    finally:
        stopping.set()
        await task


def _record(key: bytes, headers: bytes, value: bytes) -> Record:
    return Record("internal-commands", 0, 0, key, value, tuple(parse_headers(headers)), APPENDED_MS)


async def erase(bench: Bench, **who: Any) -> Report:
    """Erases a person while the service runs."""
    async with served(bench), bench.pool.acquire() as connection:
        return await Erasure(connection, Person(ACCOUNT, **who)).run()


async def canaries(pool: Pool) -> list[str]:
    """Tables that hold something of the person, in any column."""
    tables = [row[0] for row in await pool.fetch(TABLES)]
    assert {"aggregate", "inbox", "outbox", "active_visit"} < set(tables)
    found = []
    for table in tables:
        text = str([tuple(row) for row in await pool.fetch(f"SELECT * FROM {table}")]).lower()  # noqa: S608
        found += [f"{table}: {canary}" for canary in CANARIES if canary in text]
    return found


async def fill(bench: Bench) -> None:
    """A person in open and finished bookings and visits, and in the answer of a dry run."""
    nuts = {"guest": GUEST, "notes": "nuts!", "ext_properties": {"canary": "1"}}
    visitor: dict[str, Any] = {"phone": PHONE, "name": NAME, "metadata": {"canary": "1"}}
    await bench.apply(
        record("create-booking", create("b-1", booking=nuts)),
        record("create-booking", create("b-2", graph="venue", booking={"customer_id": "c-canary", "comment": "nuts"})),
        record("state-action", act("b-2", "close"), topic="internal-commands"),
        record("create-booking", create("b-3", booking={"customer_id": "c-other", "notes": "window"})),
        record("create-visit", visit("v-1", **visitor)),
        record("create-visit", visit("v-2", email=EMAIL, date="2026-12-24T19:30")),
        record("create-visit", visit("v-3", phone="+4790090091")),
        record("create-visit", visit("v-4", customer_id="c-canary")),
        record("update-booking", update("b-1", patch={"guest": None}, validate_only=True)),
        record("create-booking", create("b-9", booking=nuts, validate_only=True), reply=True),
        record("create-booking", create("b-8", booking={"notes": "window"}, validate_only=True)),
    )
    await bench.pool.execute("DELETE FROM outbox")


@pytest.mark.parametrize("page", [1, PAGE])
async def test_nothing_of_the_person_is_left(bench: Bench, pool: Pool, monkeypatch: Patch, page: int) -> None:
    """No table holds anything of the person afterwards, no row of the outbox either; everybody else is as before."""
    monkeypatch.setattr(person, "PAGE", page)
    await fill(bench)
    assert await canaries(pool)
    memories = await bench.count("inbox")
    report = await erase(bench, customers=("c-canary",), phones=(PHONE,), emails=(EMAIL,))
    assert report.found == {"booking": 2, "visit": 3}
    assert report.dry_runs == 2
    assert await canaries(pool) == []
    assert await bench.count("inbox") == memories - 2 + 5
    events = {event.value.get("booking_id") or event.value["visit_id"]: event.value for event in await bench.sent()}
    assert set(events) == {"b-1", "b-2", "v-1", "v-2", "v-4"}
    assert await bench.count("active_visit") == 1
    told = {(event["actor"], event["action"], event["silent"]) for event in events.values()}
    assert told == {("internal", None, True)}
    assert events["b-2"]["to_state"] == events["b-2"]["from_state"] == "closed"
    async with pool.acquire() as connection:
        others = await Erasure(connection, Person(ACCOUNT, ("c-other",), ("4790090091",))).look()
    assert others.found == {"booking": 1, "visit": 1}


async def test_again(bench: Bench, pool: Pool) -> None:
    """A second erasure finds nothing and publishes nothing."""
    await fill(bench)
    everything: dict[str, Any] = {"customers": ("c-canary",), "phones": (PHONE,), "emails": (EMAIL,)}
    await erase(bench, **everything)
    await bench.sent()
    report = await erase(bench, **everything)
    assert (report.found, report.dry_runs) == ({"booking": 0, "visit": 0}, 0)
    assert await bench.sent() == []


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ({"phones": ("47 90 09 00 90",)}, ["b-1", "v-1"]),
        ({"emails": ("john@doe.EXAMPLE",)}, ["b-1", "v-2"]),
        ({"customers": ("c-canary",)}, ["b-2", "v-4"]),
        ({"customers": ("c-1",)}, []),
        ({"phones": ("90090090",)}, []),
        ({"customers": ("C-canary",), "emails": ("%",), "phones": ("9",)}, []),
    ],
)
async def test_who_is_meant(bench: Bench, pool: Pool, who: dict[str, Any], expected: list[str]) -> None:
    """A person is found by customer id, by the digits of a phone number, by an address in any case; by nothing less."""
    await fill(bench)
    async with pool.acquire() as connection:
        report = await Erasure(connection, Person(ACCOUNT, **who)).look()
        page = await next_page(connection, Person(ACCOUNT, **who), ("", ""))
    assert [found.id for found in page.found] == expected
    assert sum(report.found.values()) == len(expected)
    assert await bench.sent() == []


async def test_a_derived_customer(bench: Bench, pool: Pool) -> None:
    """Who is known by a contact alone is also found where only the customer id that follows from it was written."""
    (event,) = await bench.apply(record("create-visit", visit("v-1", phone=PHONE)))
    customer = event.value["visit"]["customer_id"]
    await bench.apply(record("create-booking", create("b-1", booking={"customer_id": customer})))
    async with pool.acquire() as connection:
        page = await next_page(connection, Person(ACCOUNT, phones=(PHONE,)), ("", ""))
    assert [found.id for found in page.found] == ["b-1", "v-1"]


async def test_another_account(bench: Bench, pool: Pool) -> None:
    """Nothing of another account is found."""
    await fill(bench)
    async with pool.acquire() as connection:
        report = await Erasure(connection, Person("acc-2", ("c-canary",), (PHONE,), (EMAIL,))).look()
    assert (report.found, report.dry_runs, report.customers) == ({"booking": 0, "visit": 0}, 0, set())


async def test_changed_meanwhile(bench: Bench, pool: Pool) -> None:
    """A booking that changes between finding and erasing is found anew and erased at its new version."""
    await fill(bench)
    change = record("update-booking", update("b-1", patch={"comment": "x"}), topic="internal-commands")
    async with pool.acquire() as connection:
        erasing = asyncio.create_task(Erasure(connection, Person(ACCOUNT, emails=(EMAIL,))).run())
        await until(lambda: bench.count("outbox", "topic = 'internal-commands'"))
        await bench.apply(change)
        async with served(bench):
            await erasing
    versions = [each.value["version"] for each in await bench.sent() if each.type == "booking-changed"]
    assert await pool.fetchval("SELECT version FROM aggregate WHERE aggregate_id = 'b-1'") == 3
    assert versions == [3]


async def test_a_service_that_does_not_run(bench: Bench, pool: Pool) -> None:
    """Without a service the erasure ends with what helps; begun again, what was asked twice is done once."""
    await fill(bench)
    async with pool.acquire() as connection:
        for _ in range(2):
            with pytest.raises(ServiceError, match="worker and relay"):
                await Erasure(connection, Person(ACCOUNT, ("c-canary",)), patience=0.2).run()
        async with served(bench):
            await Erasure(connection, Person(ACCOUNT, ("c-canary",))).run()
    events = [event for event in await bench.sent() if event.type.endswith("-changed")]
    assert [(event.key, event.value["version"]) for event in events] == [(b"b-2", 3), (b"v-4", 2)]
