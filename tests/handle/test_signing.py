"""What becomes of signed and unsigned commands in a batch."""

from datetime import timedelta

import asyncpg
import pytest

from service.errors import StoreUnavailable
from service.handle import progress
from service.handle.batch import BatchTransaction
from service.handle.strangers import MOST_ANSWERS
from service.record import Record
from service.telemetry.meters import Meters
from service.telemetry.names import REFUSALS, UNANSWERED
from service.trust.clients import Clients
from service.trust.registry import Limits, add_client, rotate, set_active
from service.trust.sealing import load_sealer
from tests.handle.harness import NOW, Bench, Pool, details, graphs, statements_of, summaries
from tests.support.records import REPLY_TOPICS, act, create, location, record, update
from tests.support.signing import BOTH, OTHER_KEY, secret_of, signed

NO_LIMITS = Limits()


class SignedBench(Bench):
    """A bench that wants signatures, with one client of acc-1."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, graphs())
        self.meters = Meters()
        self.clients = Clients()
        self.client_id = self.secret = ""
        self.transaction = BatchTransaction(
            pool, graphs(), reply_topics=REPLY_TOPICS, clock=lambda: self.now, clients=self.clients, meters=self.meters
        )

    async def add(
        self, account_id: str = "acc-1", scopes: frozenset[str] = BOTH, limits: Limits = NO_LIMITS
    ) -> tuple[str, str]:
        """Adds a client."""
        async with self.pool.acquire() as connection:
            return await add_client(
                connection,
                await load_sealer(connection, ()),
                account_id=account_id,
                name="POS",
                scopes=sorted(scopes),
                limits=limits,
            )

    def look_again(self) -> None:
        """Lets the next batch look for clients that were changed."""
        self.clients._looked_at = None

    def signed(self, made: Record) -> Record:
        """Signs as the client of acc-1."""
        return signed(made, self.client_id, self.secret)


@pytest.fixture
async def bench(pool: Pool) -> SignedBench:
    """A location in each of two accounts."""
    made = SignedBench(pool)
    made.client_id, made.secret = await made.add()
    assert await made.apply(location(), location(account_id="acc-2")) == []
    return made


async def test_a_signed_command_is_applied(bench: SignedBench) -> None:
    """The event says that it came from outside, and names no client."""
    event = await bench.one(bench.signed(record("create-booking", create())))
    assert (event.type, event.value["actor"], event.value["version"]) == ("booking-changed", "external", 1)
    assert bench.client_id not in str(event)


async def test_an_unsigned_command_is_refused_and_forgotten(bench: SignedBench) -> None:
    """The refusal names no account and no version; the same id is decided when it comes signed."""
    await bench.one(bench.signed(record("create-booking", create())))
    made = record("update-booking", update(patch={"notes": "x"}), "c-1")
    answer = await bench.one(made)
    value = answer.value
    assert (value["status"], value["error"], value["detail"]) == (401, "unauthorized", "invalid_signature")
    assert (value["account_id"], value["current_version"], value["available_actions"]) == (None, None, None)
    assert (value["command_id"], value["aggregate_id"], value["errors"]) == ("c-1", "b-1", [])
    assert value["retryable"] is False
    assert await bench.count("inbox", "account_id = ''") == 0
    assert (await bench.one(bench.signed(made))).value["version"] == 2


async def test_a_refusal_is_told_alike_again(bench: SignedBench) -> None:
    """What is not remembered is decided anew: it is the same result, as long as nothing has changed."""
    made = record("update-booking", update(), "c-1")
    assert (await bench.one(made)) == (await bench.one(made))


async def test_a_stolen_id_does_not_answer(bench: SignedBench) -> None:
    """An unsigned copy of a command that was applied is refused, whatever is remembered of it."""
    made = record("create-booking", create(), "c-1", reply=True)
    await bench.apply(bench.signed(made))
    assert summaries(await bench.apply(made)) == [("command-refused", "b-1", "invalid_signature")]
    assert [each.type for each in await bench.apply(bench.signed(made))] == ["command-accepted"]


async def test_neighbours_are_applied(bench: SignedBench) -> None:
    """Strangers and clients in one batch; each has its answer."""
    other_id, other_secret = await bench.add("acc-2")
    sent = await bench.apply(
        record("update-booking", update()),
        bench.signed(record("create-booking", create("b-2"))),
        signed(record("create-booking", create("b-3", account_id="acc-2")), other_id, other_secret),
        signed(record("update-booking", update()), "c-unknown", other_secret),
        signed(record("update-booking", update()), bench.client_id, other_secret),
    )
    assert summaries(sent) == [
        ("booking-changed", "b-2", 1),
        ("booking-changed", "b-3", 1),
        ("command-refused", "b-1", "invalid_signature"),
        ("command-refused", "b-1", "invalid_api_key"),
        ("command-refused", "b-1", "invalid_signature"),
    ]


async def test_the_account_follows_from_the_client(bench: SignedBench) -> None:
    """A command without an account is its client's."""
    data = create()
    del data["account_id"]
    assert (await bench.one(bench.signed(record("create-booking", data)))).value["account_id"] == "acc-1"


async def test_a_denied_scope_is_final(bench: SignedBench) -> None:
    """It is remembered like any refusal; an answer from before the scope was taken away is not given again."""
    client_id, secret = await bench.add(scopes=frozenset({"visits:write"}))
    made = record("create-booking", create(), "c-1")
    first = await bench.one(signed(made, client_id, secret))
    assert (first.value["status"], first.value["detail"], first.value["account_id"]) == (403, "scope_denied", "acc-1")
    assert await bench.one(signed(made, client_id, secret)) == first
    assert await bench.one(bench.signed(made)) == first
    other = record("create-booking", create("b-2"), "c-2", reply=True)
    await bench.apply(bench.signed(other))
    assert summaries(await bench.apply(signed(other, client_id, secret))) == [
        ("command-refused", "b-2", "scope_denied")
    ]


async def test_a_client_is_switched_off(bench: SignedBench) -> None:
    """Its next batch is refused once that has been looked for, and taken when it is on again."""
    await bench.apply(bench.signed(record("create-booking", create())))
    for active, expected in ((False, "api_config_inactive"), (True, 2)):
        async with bench.pool.acquire() as connection:
            await set_active(connection, bench.client_id, active=active)
        bench.look_again()
        made = record("update-booking", update(patch={"notes": "x"}), "c-1")
        assert summaries(await bench.apply(bench.signed(made)))[0][2] == expected


async def test_both_secrets_of_a_rotation(bench: SignedBench) -> None:
    """The old and the new one sign side by side."""
    async with bench.pool.acquire() as connection:
        new = await rotate(connection, await load_sealer(connection, ()), bench.client_id, timedelta(days=3650))
    first = bench.signed(record("create-booking", create("b-1")))
    second = signed(record("create-booking", create("b-2")), bench.client_id, new)
    wrong = signed(record("create-booking", create("b-3")), bench.client_id, secret_of(OTHER_KEY))
    bench.look_again()
    assert details(await bench.apply(first, second, wrong)) == ["applied", "applied", "invalid_signature"]


async def test_answers_to_strangers_are_limited(bench: SignedBench) -> None:
    """In a minute a process publishes so many and no more; all are counted, and the next minute has its own."""
    flood = [record("update-booking", update(f"b-{number}")) for number in range(MOST_ANSWERS + 5)]
    assert len(await bench.apply(*flood[: MOST_ANSWERS - 1])) == MOST_ANSWERS - 1
    assert len(await bench.apply(*flood[:3])) == 1
    assert await bench.apply(*flood[:3]) == []
    assert bench.meters.value(UNANSWERED) == 5
    assert bench.meters.value(REFUSALS, "unauthorized", "invalid_signature") == MOST_ANSWERS + 5
    assert summaries(await bench.apply(flood[0], bench.signed(record("create-booking", create())))) == [
        ("booking-changed", "b-1", 1)
    ]
    bench.now = NOW + timedelta(minutes=1)
    assert len(await bench.apply(flood[0])) == 1


async def test_a_flood_of_strangers_reads_no_tables(bench: SignedBench) -> None:
    """Nothing about their commands is looked up: a batch of them costs its progress and the rows of its answers."""
    await bench.apply(record("update-booking", update()))
    flood = await bench.placed([record("update-booking", update())] * 20)
    assert await statements_of(bench.pool, bench.transaction(*flood)) == [progress.MOVE.strip()]


async def test_without_postgresql_the_batch_waits(bench: SignedBench) -> None:
    """A client that can't be looked up is not refused."""
    made = bench.signed(record("create-booking", create()))
    placed = await bench.placed([made])
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0, max_size=1) as none:
        transaction = BatchTransaction(none, graphs(), reply_topics=REPLY_TOPICS, clock=lambda: NOW, clients=Clients())
        with pytest.raises(StoreUnavailable):
            await transaction(*placed)
    await bench.transaction(*placed)
    assert summaries(await bench.sent()) == [("booking-changed", "b-1", 1)]


async def test_an_action_link_needs_no_signature(bench: SignedBench) -> None:
    """Where others have to sign, a link of ours is all that a guest needs; one that is not ours is worth nothing."""
    await bench.begin(action_links=True)
    event = await bench.one(bench.signed(record("create-booking", create("b-1", graph="confirm_decline"))))
    token = event.value["links"]["confirm"]["token"]
    forged = record("state-action", act("b-1", "confirm", link=f"{token}x"))
    unsigned = record("state-action", act("b-1", "confirm"))
    assert details(await bench.apply(forged, unsigned)) == ["invalid_signature"] * 2
    done = await bench.one(record("state-action", act("b-1", "confirm", link=token)))
    assert (done.value["actor"], done.value["to_state"]) == ("customer", "confirmed")
    again = bench.signed(record("state-action", act("b-1", "confirm", link=token)))
    assert details(await bench.apply(again)) == ["link_used"]
