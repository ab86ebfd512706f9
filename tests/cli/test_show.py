"""`bookstream show` on a real PostgreSQL."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from click import unstyle

from service.cli.show import lines
from service.domain.actor import Actor
from service.graphs.loader import load_graphs
from service.store.standing import find_standing
from tests.cli.command_line import finished
from tests.e2e.broker import Broker
from tests.e2e.process import environment
from tests.handle.harness import Bench, graphs
from tests.support.records import act, create, location, record, visit

Show = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    """Batches over an account that has the location `oslo` alone."""
    async with asyncpg.create_pool(database_url, min_size=0, max_size=2) as pool:
        yield await Bench(pool, graphs()).begin(booking_allow_overbooking=False)


@pytest.fixture
def show(database_url: str) -> Show:
    """Run `bookstream show` as a process of its own."""

    async def run(*arguments: str, **more: str) -> tuple[int, str, str]:
        return await finished(environment(Broker("127.0.0.1:1", "x."), database_url, **more), ["show", *arguments])

    return run


async def test_a_booking_as_it_stands(bench: Bench, show: Show) -> None:
    """Version, state, actions of each actor, timer, slot, groups and every member, for people and for programs."""
    table = {"resource_id": "t-1", "notes": "by the window"}
    await bench.apply(record("create-booking", create("b-1", bulk_id="g-1", booking=table)))
    await bench.apply(record("create-booking", create("b-2", bulk_id="g-1")))
    code, out, said = await show("b-1", "--json")
    assert code == 0, said
    (found,) = json.loads(out)
    graph = load_graphs(None)["instant"]
    assert (found["account_id"], found["kind"], found["id"], found["version"]) == ("acc-1", "booking", "b-1", 1)
    assert found["graph"] == {"name": "instant", "state": "confirmed", "level": None, "access": "open", "final": False}
    assert found["available_actions"]["external"] == list(graph.available("confirmed", Actor.EXTERNAL))
    assert set(found["available_actions"]) == {"external", "customer", "internal", "system"}
    assert found["timers"] == [{"action": "complete", "due_at": "2026-12-24T21:00:00Z", "sent_at": None}]
    held = {"starts_at": "2026-12-24T18:00:00Z", "ends_at": "2026-12-24T20:00:00Z", "exclusive": True}
    assert found["slots"] == [{"resource_id": "t-1", **held}]
    assert found["groups"] == [{"group": "bulk/g-1", "owner": False, "size": 2, "members": ["b-1", "b-2"]}]
    assert found["snapshot"]["notes"] == "by the window"
    code, out, _ = await show("b-1")
    assert code == 0
    told = out.splitlines()
    assert told[0] == "booking acc-1/b-1  v1"
    assert "  state          confirmed (open) of graph instant" in told
    assert "  timer          complete at 2026-12-24T21:00:00Z" in told
    assert "  slot           t-1 from 2026-12-24T18:00:00Z to 2026-12-24T20:00:00Z, exclusive" in told
    assert "  member of      bulk/g-1 with 2: b-1, b-2" in told
    assert "  notes          by the window" in told
    assert told[-1].startswith("  not set ")
    assert "\033" not in out


async def test_every_account_that_has_the_id(bench: Bench, show: Show) -> None:
    """One id in several accounts and kinds: all of them, or those that are asked for."""
    for account in ("acc-2", "acc-3"):
        await bench.apply(location(account_id=account))
        await bench.apply(record("create-booking", create("x-1", account_id=account)))
    await bench.apply(record("create-visit", visit("x-1")), location("x-1"))
    await bench.apply(record("create-visit", {**visit("v-9"), "account_id": "acc-2"}))

    async def told(*arguments: str) -> list[tuple[str, str]]:
        code, out, said = await show("x-1", "--json", *arguments)
        assert code == 0, said
        return [(each["account_id"], each["kind"]) for each in json.loads(out)]

    assert await told() == [("acc-1", "location"), ("acc-1", "visit"), ("acc-2", "booking"), ("acc-3", "booking")]
    assert await told("--account", "acc-2") == [("acc-2", "booking")]
    assert await told("--kind", "visit") == [("acc-1", "visit")]
    code, out, _ = await show("x-1")
    assert code == 0
    assert out.count("\n\n") == 3


async def test_owner_and_final_state(bench: Bench, show: Show) -> None:
    """An owner lists its customer bookings; a final state says so and offers nothing."""
    await bench.apply(record("create-booking", create("o-1", graph="group_owner")))
    member = create("m-1", graph="group_customer", owner_booking_id="o-1")
    await bench.apply(record("create-booking", member))
    await bench.apply(record("state-action", act("m-1", "cancel_by_customer"), topic="internal-commands"))
    _, out, _ = await show("o-1")
    assert "  owner of       owner/o-1 with 1: m-1" in out.splitlines()
    _, out, _ = await show("m-1")
    assert "cancelled_by_customer (open, final) of graph group_customer" in out
    assert "internal: none" in out


async def test_a_location(show: Show, bench: Bench) -> None:
    """Its settings; no graph, no actions."""
    code, out, _ = await show("oslo", "--kind", "location")
    assert code == 0
    assert "  timezone       UTC" in out.splitlines()
    assert "actions" not in out
    _, out, _ = await show("oslo", "--json")
    assert json.loads(out)[0]["graph"] is json.loads(out)[0]["available_actions"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("b-404",), "no account has a booking, visit or location b-404"),
        (("b-1", "--account", "acc-9"), "account acc-9 has no booking, visit or location b-1"),
        (("b-1", "--kind", "visit"), "no account has a visit b-1"),
    ],
)
async def test_there_is_none(bench: Bench, show: Show, arguments: tuple[str, ...], words: str) -> None:
    """Exit code 1 and what was looked for."""
    await bench.apply(record("create-booking", create("b-1")))
    code, out, said = await show(*arguments)
    assert (code, out) == (1, "")
    assert words in said
    assert "Traceback" not in said


async def test_a_graph_that_is_not_known_here(bench: Bench, database_url: str) -> None:
    """The aggregate is shown all the same, with the setting that would tell more; nothing reaches the terminal raw."""
    await bench.apply(record("create-booking", create("b-1", booking={"ext_reference_id": "x"})))
    connection = await asyncpg.connect(database_url)
    (found,) = await find_standing(connection, "b-1", account_id=None, kinds=["booking"])
    await connection.close()
    found.snapshot["ext_reference_id"] = "\x1b[31m"
    told = unstyle("\n".join(lines(found, {})))
    assert "confirmed of graph instant, not known here; see BOOKSTREAM_GRAPHS_DIR" in told
    assert "\\x1b[31m" in told


async def test_servers_that_are_not_there(show: Show, empty_database_url: str) -> None:
    """No server, no schema, wrong settings: exit codes 1 and 2, each with its remedy and no traceback."""
    code, _, said = await show("b-1", BOOKSTREAM_DATABASE_URL="postgresql://x@127.0.0.1:1/x")
    assert (code, "BOOKSTREAM_DATABASE_URL" in said) == (1, True)
    code, _, said = await show("b-1", BOOKSTREAM_DATABASE_URL=empty_database_url)
    assert (code, "bookstream migrate" in said) == (1, True)
    code, _, said = await show("b-1", BOOKSTREAM_PARTITIONS="many")
    assert (code, "BOOKSTREAM_PARTITIONS" in said) == (2, True)
    code, _, said = await show()
    assert code == 2
    assert "Traceback" not in said
