import asyncio
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from tests.cli.command_line import Run, start

WINDOW = {"starts_at": "2030-03-15T18:00:00+01:00", "ends_at": "2030-03-15T20:00:00+01:00"}


def command(kind: str, command_id: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "id": command_id, "source": "//pos", "data": {"account_id": "acc-1", **data}}


CREATE = command("create-booking", "2", booking_id="b-1", location_id="oslo", booking=WINDOW)
CONFIRM = command("state-action", "3", booking_id="b-1", action="confirm")
LINES: list[dict[str, Any]] = [
    command("configure-location", "1", location_id="oslo", settings={}),
    {"say": "the place is there"},
    CREATE,
    CONFIRM,
    CONFIRM,
    command("state-action", "4", booking_id="b-1", action="reopen"),
    command("update-booking", "5", booking_id="b-1", patch={"colour": "red"}),
    {"raw": "TABLE 7", "topic": "booking-commands", "key": "b-1"},
]


def lines(*members: Any) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in members)


async def test_commands_are_sent_and_their_outcomes_told(run: Run, service: Sequence[str]) -> None:
    """From standard input; events, results and dead letters are then there for `tail`, filters included."""
    sent = await run("send", *service, "--json", "-", stdin=lines(*LINES))
    assert sent.code == 0, sent.err
    told = {outcome["line"]: outcome for outcome in map(json.loads, sent.out)}
    assert {number: outcome["outcome"] for number, outcome in told.items()} == {
        1: "applied",
        3: "applied",
        4: "applied",
        5: "applied",
        6: "refused",
        7: "refused",
        8: "dead letter",
    }
    assert [number for number, outcome in told.items() if outcome["as_before"]] == [5]
    assert told[5]["answer"] == told[4]["answer"]
    assert told[6]["answer"]["detail"] == "unknown_action"
    assert told[8]["answer"]["dlq_reason"] == "missing_attribute"
    assert "line 7: looks wrong, sent all the same: /patch/colour is unknown" in sent.err

    followed = await run("tail", *service, "--from-beginning", "--idle", "1", "--key", "b-1")
    assert followed.code == 0, followed.err
    changes = [line for line in followed.out if "  changed " in line]
    assert [line.split("  ", 3)[-1].strip() for line in changes] == [
        "booking acc-1/b-1  v1  registered  create  by external",
        "booking acc-1/b-1  v2  registered -> confirmed  confirm  by external",
    ]
    assert sum("  dead letter  key b-1  missing_attribute: " in line for line in followed.out) == 1
    whole = await run("tail", *service, "--from-beginning", "--json", "--account", "acc-1", "--count", "3")
    assert (whole.code, len(whole.out)) == (0, 3)
    assert all(json.loads(line)["value"]["account_id"] == "acc-1" for line in whole.out)
    nobody = await run("tail", *service, "--from-beginning", "--account", "acc-2", "--idle", "1")
    assert (nobody.code, nobody.out) == (0, [])


async def test_refusals_are_answers_unless_strict(run: Run, service: Sequence[str], tmp_path: Path) -> None:
    """Lines for people come from a file; --strict makes a refusal exit code 1."""
    file = tmp_path / "commands.jsonl"
    file.write_text(lines({"say": "nobody is there"}, CONFIRM), encoding="utf-8")
    sent = await run("send", *service, str(file))
    assert (sent.code, sent.out[0]) == (0, "nobody is there")
    assert "line 2    state-action       b-1          404 booking: " in sent.out[1]
    assert "1 sent, 1 refused" in sent.err
    strict = await run("send", *service, "--strict", str(file))
    assert strict.code == 1


async def test_a_bad_line_keeps_no_other_from_being_sent(run: Run, service: Sequence[str]) -> None:
    """It is told with its number, and the exit code is 1."""
    sent = await run("send", *service, "--json", "-", stdin=f"hello\n\n{lines(CONFIRM)}")
    assert sent.code == 1
    assert "line 1: not sent: no JSON" in sent.err
    assert [json.loads(line)["line"] for line in sent.out] == [3]


async def test_who_does_not_answer_is_named(run: Run, topics: Sequence[str]) -> None:
    """Without a service nothing is answered in time; --no-wait does not care."""
    sent = await run("send", *topics, "--timeout", "0.5", "-", stdin=lines(CREATE, CONFIRM))
    assert sent.code == 1
    assert [line.split()[1] for line in sent.out] == ["1", "2"]
    assert all(line.endswith("no answer within 0.5 s") for line in sent.out)
    sent = await run("send", *topics, "--no-wait", "-", stdin=lines(CREATE, CONFIRM))
    assert (sent.code, sent.out) == (0, [])
    assert "2 sent" in sent.err


async def test_tail_follows_until_it_is_interrupted(
    project_root: Path, broker: str, topic_prefix: str, topics: Sequence[str]
) -> None:
    """What comes from now on is shown at once, and Ctrl-C is a clean end."""
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait(f"{topic_prefix}commands-dlq", b"before", key=b"k")
        process = await start(project_root, ["tail", *topics])
        assert process.stdout is not None
        line = asyncio.create_task(process.stdout.readline())
        while not line.done():
            await producer.send_and_wait(f"{topic_prefix}booking-events", b"{}", key=b"b-7")
            await asyncio.wait([line], timeout=0.2)
        assert b"other" in line.result()
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 20)
        assert (process.returncode, err) == (0, b"")
        assert b"dead letter" not in line.result() + out


async def test_a_kafka_without_the_topics_is_told_with_the_remedy(run: Run, broker: str) -> None:
    """So is one that does not answer; wrong options are wrong use."""
    lacking = await run("tail", "--bootstrap", broker, "--prefix", "nowhere.")
    assert lacking.code == 1
    assert "`bookstream topics` creates them" in lacking.err
    away = await run("send", "--bootstrap", "127.0.0.1:1", "-")
    assert away.code == 1
    assert "Kafka at 127.0.0.1:1 does not answer" in away.err
    assert (await run("tail", "--prefix", "no blanks")).code == 2
    assert (await run("send", "/does/not/exist.jsonl")).code == 2


@pytest.mark.parametrize("name", ["send", "tail", "demo"])
async def test_help_comes_with_examples(run: Run, name: str) -> None:
    """Exit code 0, and no escape of the help's source left in it."""
    told = await run(name, "--help")
    assert told.code == 0
    assert "\x08" not in "\n".join(told.out)
