from typing import Any

import pytest

from tests.handle.harness import Bench, summaries
from tests.support.records import act, create, record, update, visit
from tests.support.rows import Sent


def same(first: Sent, second: Sent) -> bool:
    """Whether a row repeats another one to the byte."""
    return (first.topic, first.key, first.bytes, first.raw) == (second.topic, second.key, second.bytes, second.raw)


@pytest.mark.parametrize("together", [True, False])
async def test_an_applied_command(bench: Bench, together: bool) -> None:  # noqa: FBT001
    """A repeat changes nothing and says nothing where nothing was asked."""
    asked = record("create-booking", create("b-1"), "c-1")
    if together:
        assert len(await bench.apply(asked, asked, asked)) == 1
    else:
        assert len(await bench.apply(asked)) == 1
        assert await bench.apply(asked) == []
    assert await bench.count("aggregate", "kind = 'booking' AND version = 1") == 1


@pytest.mark.parametrize("together", [True, False])
async def test_an_acceptance_comes_again(bench: Bench, together: bool) -> None:  # noqa: FBT001
    """A repeat of a command that asked for its acceptance gets it again, to the byte, also after other changes."""
    await bench.apply(record("create-booking", create("b-1")))
    asked = record("update-booking", update("b-1", patch={"notes": "x"}), "c-1", reply=True)
    other = record("state-action", act("b-1", "cancel"))
    if together:
        found = await bench.apply(asked, other, asked)
    else:
        found = [*await bench.apply(asked, other), *await bench.apply(asked)]
    assert summaries(found)[1] == ("command-accepted", "b-1", "applied")
    assert same(found[1], found[3])
    assert len(found) == 4


async def test_a_repeat_may_ask_later(bench: Bench) -> None:
    """A repeat that asks by replyto gets the stored outcome even where none was published."""
    await bench.apply(record("create-booking", create("b-1"), "c-1"))
    asked = record("create-booking", create("b-1"), "c-1", reply=True)
    first, second = await bench.one(asked), await bench.one(asked)
    assert summaries([first]) == [("command-accepted", "b-1", "applied")]
    assert same(first, second)


async def test_a_repeat_need_not_ask_again(bench: Bench) -> None:
    """An acceptance that was published comes again whether or not the repeat asks."""
    first = await bench.apply(record("create-booking", create("b-1"), "c-1", reply=True))
    assert same(first[1], await bench.one(record("create-booking", create("b-1"), "c-1")))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("update-booking", update("b-9", patch={"notes": "x"})),
        ("update-booking", update("b-1", patch={"guest_count": 0, "nope": 1})),
        ("update-booking", update("b-1", patch={"notes": "x"}, expected_version=9)),
        ("state-action", act("b-1", "fly")),
        ("create-booking", create("b-1")),
        ("create-booking", create("b-7") | {"account_id": ""}),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_a_refusal_comes_again(bench: Bench, kind: str, data: dict[str, Any], together: bool) -> None:  # noqa: FBT001
    """A refusal is repeated to the byte, 400s included, though it would be decided otherwise by now."""
    await bench.apply(record("create-booking", create("b-1")))
    asked = record(kind, data, "c-1")
    between = [record("update-booking", update("b-1", patch={"notes": "y"})), record("create-booking", create("b-9"))]
    if together:
        found = await bench.apply(asked, *between, asked)
    else:
        found = [*await bench.apply(asked, *between), *await bench.apply(asked)]
    assert found[0].type == "command-refused"
    assert same(found[0], found[-1])
    assert len(found) == 4


async def test_a_dry_run_is_remembered(bench: Bench) -> None:
    """A dry run sent again is answered as the first time, though the booking is there by now."""
    asked = record("create-booking", create("b-1", validate_only=True), "c-1", reply=True)
    first = await bench.one(asked)
    await bench.apply(record("create-booking", create("b-1"), "c-2"))
    assert same(first, await bench.one(asked))
    assert first.value["preview"]["booking"]["graph"] == "instant"


async def test_the_same_content_written_otherwise(bench: Bench) -> None:
    """The memory compares JSON values, not bytes."""
    asked = record("create-booking", create("b-1", booking={"guest_count": 2}), "c-1")
    text = (asked.value or b"").replace(b'"guest_count": 2', b'"guest_count" :2e0')
    assert text != asked.value
    assert len(await bench.apply(asked)) == 1
    assert await bench.apply(asked._replace(value=text)) == []


async def test_another_command_under_the_same_id(bench: Bench) -> None:
    """Other content under an id that was used is refused each time, and the first stands."""
    first = await bench.apply(record("create-booking", create("b-1"), "c-1", reply=True))
    reuse = record("update-booking", update("b-1", patch={"notes": "x"}), "c-1")
    again, anew = await bench.apply(reuse, reuse)
    assert summaries([again, anew]) == [("command-refused", "b-1", "command_id_reuse")] * 2
    assert again.value["current_version"] == 1
    assert again.headers["ce_id"] != first[1].headers["ce_id"]
    assert same(first[1], await bench.one(record("create-booking", create("b-1"), "c-1")))
    # wrong content is refused for what is wrong with it, and changes the memory no more
    wrong = record("update-booking", update("b-1", patch={"nope": 1}), "c-1")
    assert summaries(await bench.apply(wrong, wrong)) == [("command-refused", "b-1", "unknown_field")] * 2
    assert same(first[1], await bench.one(record("create-booking", create("b-1"), "c-1")))


async def test_a_refused_id_is_used_up(bench: Bench) -> None:
    """The corrected command needs a new id, since the refusal is the outcome of the old one."""
    found = await bench.apply(
        record("create-booking", create("b-1", booking={"guest_count": 0}), "c-1"),
        record("create-booking", create("b-1"), "c-1"),
        record("create-booking", create("b-1"), "c-2"),
    )
    assert summaries(found) == [
        ("command-refused", "b-1", "invalid_field"),
        ("command-refused", "b-1", "command_id_reuse"),
        ("booking-changed", "b-1", 1),
    ]


async def test_ids_are_of_account_source_and_channel(bench: Bench) -> None:
    """One id may be used by each source, on each channel and in each account."""
    found = await bench.apply(
        record("create-booking", create("b-1"), "one-id"),
        record("create-booking", create("b-2"), "one-id", ce_source="//other.example"),
        record("create-booking", create("b-3"), "one-id", topic="internal-commands"),
        record("create-booking", create("b-4") | {"account_id": "acc-2"}, "one-id"),
    )
    assert summaries(found)[:3] == [("booking-changed", f"b-{n}", 1) for n in (1, 2, 3)]
    assert found[3].value["detail"] == "location"


async def test_what_is_not_final_is_not_remembered(bench: Bench) -> None:
    """A 401 is decided anew when it is sent again."""
    await bench.apply(record("create-booking", create("b-1")))
    asked = record("state-action", act("b-1", "cancel", link="token"), "c-1")
    found = await bench.apply(asked, asked)
    assert summaries(found) == [("command-refused", "b-1", "invalid_signature")] * 2
    assert await bench.count("inbox") == 2
    assert (await bench.one(record("state-action", act("b-1", "cancel"), "c-1"))).type == "booking-changed"


async def test_the_correlation_of_a_repeat_is_the_first_ones(bench: Bench) -> None:
    """What was published first comes again with its own correlation id."""
    asked = create("b-1")
    first = await bench.apply(record("create-booking", asked, "c-1", ce_correlationid="one", reply=True))
    again = await bench.one(record("create-booking", asked, "c-1", ce_correlationid="two", reply=True))
    assert same(first[1], again)
    wrong = visit("v-1") | {"nope": 1}
    refused = await bench.one(record("create-visit", wrong, "c-2"))
    assert same(refused, await bench.one(record("create-visit", wrong, "c-2", ce_correlationid="two")))
