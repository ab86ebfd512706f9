"""`bookstream dlq` on a real broker, without the service."""

import asyncio
import json

import pytest
from click.testing import CliRunner, Result

from service.cli.lines import Outgoing, read_line
from service.cli.main import cli
from service.outbox.dead_letter import dead_letter_row
from service.received import DeadLetter, Undecodable
from service.record import Record
from tests.cli.command_line import finished
from tests.e2e.broker import Broker, Sent
from tests.e2e.checker import Seen
from tests.e2e.process import environment
from tests.support.records import APPENDED_MS, record, update
from tests.support.rows import sent
from tests.support.wait import until

NO_DATABASE = "postgresql://x@127.0.0.1:1/x"
RAW_NAME = b"n\xff".decode("utf-8", "surrogateescape")


@pytest.fixture
async def topics(kafka: str, topic_prefix: str) -> Broker:
    """A broker with the topics."""
    broker = Broker(kafka, topic_prefix)
    await broker.make_topics()
    return broker


def letter(made: Record, reason: Undecodable, minute: int = 0, *, old: bool = False) -> Sent:
    """A dead letter as the relay writes it, or as version 0.1.0 did."""
    row = sent(dead_letter_row(DeadLetter(made, reason, "why"), f"2026-12-01T09:{minute:02}:00Z"))
    headers = [pair for pair in row.raw if not (old and pair[0] == "dlq_appended_at")]
    return Sent(row.topic, row.key, row.bytes, headers)


def raw(key: bytes | None, value: bytes | None, offset: int, topic: str = "booking-commands") -> Record:
    """A record that is no command."""
    headers = (("ce_id", b"\xff"), (RAW_NAME, b"1"), ("null", None), ("twice", b"1"), ("twice", b"2"))
    return Record(topic, 0, offset, key, value, headers, APPENDED_MS)


async def write(broker: Broker, *letters: Sent) -> None:
    """Appends dead letters, each where its key belongs."""
    for each in letters:
        await broker.send_batches("commands-dlq", [each])


async def invoke(broker: Broker, *arguments: str) -> Result:
    """A subcommand in this process, which has loaded everything already."""
    settings = environment(broker, NO_DATABASE)
    return await asyncio.to_thread(CliRunner().invoke, cli, ["dlq", *arguments], env=settings)


async def run(broker: Broker, *arguments: str) -> str:
    """Output of a subcommand that ends well."""
    result = await invoke(broker, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


async def listed(broker: Broker, *arguments: str) -> list[int]:
    """First offsets of what is listed."""
    lines = (await run(broker, "list", "--json", *arguments)).splitlines()
    return sorted(json.loads(line)["offset"] for line in lines)


async def replayed(broker: Broker) -> list[Seen]:
    """What lies on the topic of replays."""
    return await broker.read(["commands-replay"])


def number(seen: Seen) -> int:
    """First offset of a replayed record."""
    return int(seen.header("dlq_offset"))


async def test_list_and_its_filters(topics: Broker) -> None:
    """Each filter lets through what fits, its bounds included as they say; all given must fit."""
    await write(
        topics,
        letter(raw(b"b-1", b"x", 5), "invalid_json", 0),
        letter(raw(b"b-1", b"x", 6), "internal_error", 10),
        letter(raw(b"b-2", b"x", 7, "visit-commands"), "internal_error", 20),
        letter(raw(None, None, 8, "visit-commands"), "missing_attribute", 30),
    )
    assert await listed(topics) == [5, 6, 7, 8]
    assert await listed(topics, "--reason", "internal_error") == [6, 7]
    assert await listed(topics, "--reason", "internal_error", "--reason", "invalid_json") == [5, 6, 7]
    assert await listed(topics, "--key", "b-1", "--reason", "internal_error") == [6]
    assert await listed(topics, "--from", "2026-12-01T09:10:00Z", "--to", "2026-12-01T10:30:00+01:00") == [6, 7]
    assert await listed(topics, "--topic", "visit-commands", "--partition", "0", "--offset", "8-9") == [8]
    assert await listed(topics, "--offset", "6-7") == [6, 7]
    assert await listed(topics, "--partition", "1") == []
    assert len(await listed(topics, "--limit", "2")) == 2
    lines = (await run(topics, "list", "--key", "b-1")).splitlines()
    assert [line.split("  ", 1)[1].strip() for line in lines] == [
        "2026-12-01T09:00:00Z  key b-1  invalid_json: why  (from booking-commands/0@5)",
        "2026-12-01T09:10:00Z  key b-1  internal_error: why  (from booking-commands/0@6)",
    ]


async def test_show(topics: Broker) -> None:
    """By its id or its first place: everything, or the bytes as they came."""
    await write(topics, letter(raw(b"b-1", b"\x80raw\n", 5), "invalid_json"))
    (found,) = [json.loads(line) for line in (await run(topics, "list", "--json")).splitlines()]
    whole = json.loads(await run(topics, "show", found["id"], "--json"))
    assert (whole["value_base64"], whole["size"], whole["reason"]) == ("gHJhdwo=", 5, "invalid_json")
    assert whole["headers"][:5] == [
        ["ce_id", "\\xff"], ["n\\udcff", "1"], ["null", None], ["twice", "1"], ["twice", "2"]
    ]  # fmt: skip
    assert json.loads(await run(topics, "show", "booking-commands-0-5", "--json")) == whole
    assert "ce_id: \\xff" in await run(topics, "show", found["id"])
    assert (await invoke(topics, "show", found["id"], "--body")).stdout_bytes == b"\x80raw\n"
    for wrong, exit_code in (("commands-dlq-0-99", 1), ("booking-commands-0-4", 1), ("nonsense", 2)):
        result = await invoke(topics, "show", wrong)
        assert (result.exit_code, wrong in result.stderr) == (exit_code, True), result.output


async def test_a_mended_command(topics: Broker) -> None:
    """A dead letter comes out as a line that `send` takes: the same command under a new id, or the same raw record."""
    asked = record("update-booking", update(patch={"notes": "x"}), "c-1", ce_correlationid="k", x="y")
    await write(topics, letter(asked, "internal_error"), letter(raw(b"b-2", b"x", 6), "invalid_json"))
    line = read_line(await run(topics, "show", "booking-commands-0-0", "--command"), 1)
    assert isinstance(line, Outgoing)
    assert (line.topic, line.key, line.data) == (asked.topic, asked.key, json.loads(asked.value or b""))
    headers = dict(line.headers)
    assert headers.pop("ce_id") != b"c-1"
    assert headers.pop("ce_replyto") == b"command-results"
    assert headers == {name: value for name, value in asked.headers if name != "ce_id"}
    result = await invoke(topics, "show", "booking-commands-0-6", "--command")
    assert (result.exit_code, "--body" in result.stderr) == (1, True)


async def test_replay_sends_everything_as_it_is(topics: Broker) -> None:
    """Key, bytes and headers, whatever they are, in the order of each key; what has no value left is left out."""
    letters = [
        letter(raw(b"b-1", b"1", 1), "invalid_json"),
        letter(raw(b"b-1", None, 2), "invalid_json"),
        letter(record("update-booking", update(), key=b"b-1"), "internal_error"),
        letter(raw(None, None, 3), "missing_attribute"),
        letter(raw(b"b-1", None, 4), "value_too_large"),
        letter(raw(None, b"batch", 6), "unreadable_batch"),
        letter(raw(b"b-2", b"5", 5), "invalid_json", old=True),
    ]
    await write(topics, *letters)
    dry = json.loads(await run(topics, "replay", "--dry-run", "--json"))
    assert (dry["sent"], dry["left_out"], await replayed(topics)) == (5, 2, [])
    told = json.loads(await run(topics, "replay", "--json"))
    assert told == {**dry, "dry_run": False}
    assert told["reasons"] == {"invalid_json": 3, "internal_error": 1, "missing_attribute": 1}
    found = await replayed(topics)
    of_first = [one for one in found if one.key == b"b-1"]
    assert [(one.value, list(one.headers)) for one in sorted(of_first, key=lambda one: one.offset)] == [
        (each.value, each.headers) for each in letters[:3]
    ]
    others = {one.key: (one.value, list(one.headers)) for one in found if one.key != b"b-1"}
    when = ("dlq_appended_at", b"2026-12-01T09:00:00Z")
    assert others == {None: (None, letters[3].headers), b"b-2": (b"5", [*letters[6].headers, when])}


async def test_replay_goes_on_where_it_was(topics: Broker) -> None:
    """For each choice of filters by itself: again nothing is sent, later what came since, from the start all of it."""
    letters = [letter(raw(b"b-%d" % n, b"x", n), "invalid_json") for n in range(10)]
    await write(topics, *letters)

    async def sends(*arguments: str) -> int:
        count: int = json.loads(await run(topics, "replay", "--json", *arguments))["sent"]
        return count

    assert await sends("--limit", "4") == 4
    assert await sends("--limit", "4") == 4
    assert await sends() == 2
    assert sorted(map(number, await replayed(topics))) == list(range(10))
    assert await sends() == 0
    await write(topics, letter(raw(b"b-9", b"x", 10), "internal_error"))
    assert await sends("--dry-run") == 1
    assert await sends() == 1
    assert await sends("--reason", "invalid_json") == 10
    assert await sends("--from-start") == 11
    assert await sends("booking-commands-0-3") == 1
    assert len(await replayed(topics)) == 10 + 1 + 10 + 11 + 1


async def test_replay_that_was_interrupted(topics: Broker) -> None:
    """Run again it goes on; nothing is missing, and only what was under way is sent twice."""
    many = 6_000
    letters = [letter(raw(b"b-%d" % (n % 7), b"x" * 500, n), "invalid_json") for n in range(many)]
    for key in range(7):
        await topics.send_batches("commands-dlq", letters[key::7])

    async def under_way() -> bool:
        return await topics.count(["commands-replay"]) > 0

    settings = environment(topics, NO_DATABASE)
    code, _, said = await finished(settings, ["dlq", "replay"], interrupt=until(under_way, 40))
    assert (code, "run the same again" in said) == (1, True), said
    await run(topics, "replay")
    found = [number(one) for one in await replayed(topics)]
    assert set(found) == set(range(many))
    assert len(found) < many + 1_500
