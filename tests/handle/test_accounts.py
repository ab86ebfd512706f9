"""Another account's ids answer exactly like ids that do not exist, whatever is asked, and cost the same statements."""

from collections.abc import Mapping
from typing import Any, assert_never

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.commands import (
    Command,
    ConfigureLocation,
    CreateBooking,
    CreateVisit,
    ErasePerson,
    StateAction,
    UpdateBooking,
    UpdateVisit,
)
from service.record import Record
from tests.handle.harness import Pool, statements_of
from tests.handle.test_signing import SignedBench
from tests.support.records import location, record
from tests.support.rows import Sent
from tests.support.strategies import BOOKINGS, LOCATIONS, VISITS, actions, creations, updates

OWN, FOREIGN = "acc-1", "acc-2"
TIMES = {"starts_at": "2026-12-24T18:00:00Z", "ends_at": "2026-12-24T20:00:00Z"}


def wire(command: Command) -> tuple[str, dict[str, Any]]:
    """A command of the domain as it is sent."""
    match command:
        case CreateBooking():
            members = {"graph": command.graph, "bulk_id": command.bulk_id, "owner_booking_id": command.owner_booking_id}
            data = {"booking_id": command.booking_id, "location_id": command.location_id, "booking": command.booking}
            return "create-booking", {**data, **members, "options": command.options}
        case UpdateBooking():
            return "update-booking", {
                "booking_id": command.booking_id,
                "patch": command.patch,
                "options": command.options,
            }
        case CreateVisit():
            ids = {"visit_id": command.visit_id, "location_id": command.location_id, "customer_id": command.customer_id}
            return "create-visit", {**ids, "visit": command.visit, "options": command.options}
        case UpdateVisit():
            return "update-visit", {"visit_id": command.visit_id, "patch": command.patch, "options": command.options}
        case StateAction():
            wish = {"action": command.action} if command.state is None else {"state": command.state}
            more = {"apply_to_bulked_bookings": command.apply_to_bulked_bookings, "inputs": command.inputs}
            refusal = {"on_sibling_refusal": command.on_sibling_refusal}
            return "state-action", {f"{command.kind}_id": command.target_id, **wish, **more, **refusal}
        case ConfigureLocation() | ErasePerson():
            raise LookupError("nobody outside may ask this")
        case _:
            assert_never(command)


questions = st.tuples(
    (creations | updates | actions).map(wire),
    st.fixed_dictionaries(
        {}, optional={"expected_version": st.integers(1, 3), "validate_only": st.booleans(), "reason": st.just("r")}
    ),
)


@pytest.fixture
async def bench(pool: Pool) -> SignedBench:
    """The other account has everything, the client's own has nothing."""
    made = SignedBench(pool)
    made.client_id, made.secret = await made.add(OWN)
    await made.apply(*(location(name, FOREIGN) for name in LOCATIONS))
    bookings = ({"booking_id": one, "bulk_id": "g", "graph": "instant", "booking": TIMES} for one in BOOKINGS)
    visits = ({"visit_id": one, "customer_id": "c-1", "visit": {"external_id": one}} for one in VISITS)
    for name, all_of_them in (("create-booking", bookings), ("create-visit", visits)):
        for data in all_of_them:
            asked = {"account_id": FOREIGN, "location_id": "oslo", **data}
            await made.apply(record(name, asked, topic="internal-commands"))
    assert await made.count("aggregate") == len(LOCATIONS) + len(BOOKINGS) + len(VISITS)
    # The client is known from here on.
    await made.apply(made.signed(record("update-booking", {"account_id": OWN, "booking_id": "b0", "patch": {}})))
    return made


def blinded(sent: Sent) -> tuple[Any, ...]:
    """An answer without what differs in any two: the account that was named, and the result's own id."""
    headers = {name: value for name, value in sent.headers.items() if name != "ce_id"}
    return sent.type, sent.key, headers, {**sent.value, "account_id": None}


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(questions, min_size=1, max_size=12))
async def test_foreign_ids_answer_like_unknown_ones(
    bench: SignedBench, commands: list[tuple[tuple[str, dict[str, Any]], Mapping[str, Any]]]
) -> None:
    """Every command about another account's bookings, visits and locations, beside the same one about nobody's."""
    ids = [next(NUMBERS) for _ in commands]

    def records(account_id: str) -> list[Record]:
        return [
            bench.signed(record(name, {"account_id": account_id, **data, **more}, f"{number}", reply=True))
            for number, ((name, data), more) in zip(ids, commands, strict=True)
        ]

    before = await bench.count("aggregate")
    answers, statements = [], []
    for account_id in (OWN, FOREIGN, FOREIGN):
        placed = await bench.placed(records(account_id))
        statements.append(await statements_of(bench.pool, bench.transaction(*placed)))
        answers.append(await bench.sent())
    own, foreign, again = answers
    assert [blinded(each) for each in foreign] == [blinded(each) for each in own]
    assert {each.value["account_id"] for each in foreign} == {FOREIGN}
    assert {each.value["account_id"] for each in own} == {OWN}
    assert all(each.value["status"] in (400, 404) for each in foreign)
    assert statements[1] == statements[0]
    assert [(each.raw, each.bytes) for each in again] == [(each.raw, each.bytes) for each in foreign]
    assert await bench.count("aggregate") == before
    assert await bench.count("inbox", f"account_id = '{FOREIGN}'") == len(LOCATIONS) + len(BOOKINGS) + len(VISITS)


NUMBERS = iter(range(10**9))


async def test_a_foreign_command_leaves_the_other_accounts_memory(bench: SignedBench) -> None:
    """Nobody can take the ids of another account's commands, or have the answers to them."""
    key, secret = await bench.add(FOREIGN)
    data = {"account_id": FOREIGN, "booking_id": "b0", "patch": {"notes": "x"}}
    made = record("update-booking", data, "same", reply=True)
    assert (await bench.one(bench.signed(made))).value["detail"] == "booking"
    bench.client_id, bench.secret = key, secret
    accepted = await bench.apply(bench.signed(made))
    assert [each.type for each in accepted] == ["booking-changed", "command-accepted"]


async def test_configuring_a_location_is_nobodys_from_outside(bench: SignedBench) -> None:
    """Of its own account or another one, the answer is the same."""
    answers = []
    for account_id in (OWN, FOREIGN):
        made = location("oslo", account_id)._replace(topic="booking-commands")
        answers.append((await bench.one(bench.signed(made))).value["detail"])
    assert answers == ["actor_not_allowed"] * 2
