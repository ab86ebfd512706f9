"""The command line for other programs: JSON, exit codes, completion."""

import json
from pathlib import Path

import pytest

from schemas.generate import generate
from service.cli.main import COMMANDS
from service.graphs.loader import load_graphs
from service.store.migrate import shipped
from tests.cli.command_line import finished
from tests.e2e.broker import Broker
from tests.e2e.process import environment

NOWHERE = Broker("127.0.0.1:1", "x.")
NO_DATABASE = "postgresql://x@127.0.0.1:1/x"
NO_ANSWER = environment(NOWHERE, NO_DATABASE)
PRINTING = sorted(set(COMMANDS) - {"demo", "run"})


@pytest.mark.parametrize("name", PRINTING)
async def test_every_command_that_prints_data_knows_json(name: str) -> None:
    """Help comes with exit code 0 and names the option."""
    code, out, said = await finished(NO_ANSWER, [name, "--help"])
    assert code == 0, said
    assert "--json" in out
    assert out.startswith(f"Usage: bookstream {name}")


async def test_migrate(empty_database_url: str) -> None:
    """What is missing, what was applied, and that nothing was left to do."""
    settings, names = environment(NOWHERE, empty_database_url), [each.name for each in shipped()]
    code, out, _ = await finished(settings, ["migrate", "--check", "--json"])
    assert (code, json.loads(out)) == (1, {"missing": names})
    code, out, _ = await finished(settings, ["migrate", "--json"])
    assert (code, json.loads(out)) == (0, {"applied": names})
    code, out, _ = await finished(settings, ["migrate", "--check", "--json"])
    assert (code, json.loads(out)) == (0, {"missing": []})


async def test_topics(kafka: str, topic_prefix: str) -> None:
    """What differs before, what was created, and that nothing differs then."""
    settings = environment(Broker(kafka, topic_prefix), NO_DATABASE)
    code, out, _ = await finished(settings, ["topics", "--check", "--json"])
    told = json.loads(out)
    assert (code, told["created"], len(told["differences"])) == (1, [], 8)
    assert set(told["differences"][0]) == {"topic", "setting", "wanted", "found"}
    code, out, _ = await finished(settings, ["topics", "--json"])
    assert (code, len(json.loads(out)["created"]), json.loads(out)["differences"]) == (0, 8, [])


async def test_graph() -> None:
    """The list of all graphs, or one of them, with what each state offers."""
    code, out, _ = await finished(NO_ANSWER, ["graph", "--json"])
    assert (code, [each["name"] for each in json.loads(out)]) == (0, list(load_graphs(None)))
    code, out, _ = await finished(NO_ANSWER, ["graph", "instant_payment", "--json"])
    found = json.loads(out)
    assert code == 0
    assert found["actions"]["timeout"]["autoplay"] == {"after_seconds": 300, "relative_to": "entry"}
    assert found["actions"]["pay"]["inputs"]["payment_id"]["required"] is True
    assert found["states"]["paid"]["available_actions"]["customer"] == ["cancel", "cancel_by_customer"]
    assert found["states"]["unpaid"]["final"] is True


async def test_schemas(tmp_path: Path) -> None:
    """The paths of what was written."""
    code, out, _ = await finished(NO_ANSWER, ["schemas", str(tmp_path), "--json"])
    assert (code, len(json.loads(out))) == (0, len(generate()) + 1)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["resync", "--resume", "--account", "acc-1"], 2, "--resume"),
        (["resync", "--rate", "fast"], 2, "500/s"),
        (["resync", "--rate", "0"], 2, "500/s"),
        (["resync", "--changed-since", "2026-12-01T00:00:00"], 2, "offset"),
        (["resync", "--changed-since", "yesterday"], 2, "offset"),
        (["resync", "--kind", "location"], 2, "booking"),
        (["resync"], 1, "BOOKSTREAM_DATABASE_URL"),
        (["show"], 2, "ID"),
        (["graph", "nothing", "--json"], 2, "unknown graph"),
        (["migrate", "--json"], 1, "BOOKSTREAM_DATABASE_URL"),
        (["erase", "--account", "acc-1"], 2, "--customer"),
        (["erase", "--customer", "c-1"], 2, "--account"),
        (["erase", "--account", "acc-1", "--phone", "+"], 2, "nobody"),
        (["erase", "--account", "acc-1", "--email", ""], 2, "nobody"),
        (["erase", "--account", "acc-1", "--customer", "c-1"], 1, "BOOKSTREAM_DATABASE_URL"),
        (["link-key"], 2, "rotate"),
        (["link-key", "rotate"], 1, "BOOKSTREAM_DATABASE_URL"),
        (["link-key", "revoke", "0"], 2, "KEY"),
        (["nonsense"], 2, "nonsense"),
    ],
)
async def test_exit_codes(arguments: list[str], code: int, word: str) -> None:
    """1 for what failed while working, 2 for wrong use; a remedy each, and no traceback."""
    ended, out, said = await finished(NO_ANSWER, arguments)
    assert ended == code, said
    assert word in said
    assert out == ""
    assert "Traceback" not in said


async def test_resync_of_nothing(database_url: str) -> None:
    """An empty database has nothing to publish; then there is nothing to go on with."""
    settings = environment(NOWHERE, database_url)
    code, out, said = await finished(settings, ["resync", "--rate", "10/s", "--json"])
    assert code == 0, said
    assert {name: json.loads(out)[name] for name in ("published", "total")} == {"published": 0, "total": 0}
    code, _, said = await finished(settings, ["resync", "--resume"])
    assert (code, "no resync was interrupted" in said) == (1, True)


async def test_link_keys(database_url: str) -> None:
    """A key is added, listed and revoked, its secret is never told, and the last one stays."""
    settings = environment(NOWHERE, database_url)

    async def told(*arguments: str) -> list[dict[str, object]]:
        code, out, said = await finished(settings, ["link-key", *arguments, "--json"])
        assert code == 0, said
        found: list[dict[str, object]] = json.loads(out)
        return found

    assert await told("list") == []
    (first,) = await told("rotate")
    assert set(first) == {"key_id", "begins_at", "revoked_at"}
    assert first["revoked_at"] is None
    code, out, said = await finished(settings, ["link-key", "revoke", "1"])
    assert (code, out, "rotate" in said) == (1, "", True)
    await told("rotate")
    assert [key["key_id"] for key in await told("list")] == [1, 2]
    code, out, _ = await finished(settings, ["link-key", "list"])
    assert (code, [line.split("  ")[0] for line in out.splitlines()]) == (0, ["key 1", "key 2"])


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "complete -o nosort"), ("zsh", "#compdef"), ("fish", "complete")]
)
async def test_completion_is_set_up(shell: str, words: str) -> None:
    """The line of the help sets up completion of `bookstream`."""
    code, out, said = await finished({**NO_ANSWER, "_BOOKSTREAM_COMPLETE": f"{shell}_source"}, [])
    assert code == 0, said
    assert words in out
    assert "bookstream" in out


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("bookstream ", list(COMMANDS)),
        ("bookstream re", ["resume", "restored", "resync"]),
        ("bookstream resync --re", ["--resume"]),
        ("bookstream resync --kind ", ["booking", "visit"]),
        ("bookstream graph insta", ["instant", "instant_payment"]),
    ],
)
async def test_completion(typed: str, expected: list[str]) -> None:
    """Commands, options, choices and names of graphs are completed."""
    words = typed.split()
    position = len(words) if typed.endswith(" ") else len(words) - 1
    asking = {"_BOOKSTREAM_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(position)}
    code, out, said = await finished({**NO_ANSWER, **asking}, [])
    assert code == 0, said
    assert [line.partition(",")[2] for line in out.splitlines()] == expected
