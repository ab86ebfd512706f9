"""The story is well formed, whatever the service makes of it."""

from collections.abc import Sequence

import pytest

from schemas.commands import COMMANDS
from service.cli.demo.story import Chapter, load_story, story_path
from service.cli.lines import Outgoing
from service.graphs.loader import load_graphs


@pytest.fixture(scope="module")
def story() -> Sequence[Chapter]:
    return load_story(story_path())


@pytest.fixture(scope="module")
def commands(story: Sequence[Chapter]) -> Sequence[Outgoing]:
    return [command for chapter in story for command in chapter.commands]


def test_it_is_about_two_hundred_commands_in_chapters(story: Sequence[Chapter], commands: Sequence[Outgoing]) -> None:
    """Each chapter has a title and few enough commands to read."""
    assert 180 <= len(commands) <= 220
    assert all(chapter.title and len(chapter.commands) <= 10 for chapter in story)


def test_every_command_says_what_is_expected(commands: Sequence[Outgoing]) -> None:
    """In the words of the check."""
    words = {(command.expect or "").partition(" ")[0] for command in commands}
    assert words == {"applied", "unchanged", "validated", "repeat", "refused", "dead"}


def test_ids_are_unique_except_of_repeats(commands: Sequence[Outgoing]) -> None:
    """A repeat is the same command as one before, byte for byte; one id stands for two commands on purpose."""
    before: dict[tuple[str, str], Outgoing] = {}
    reused = []
    for command in commands:
        if command.id is None:
            continue
        first = before.setdefault((command.source, command.id), command)
        if first is command:
            assert command.expect != "repeat"
        elif command.expect == "repeat":
            assert (command.value, command.headers, command.topic) == (first.value, first.headers, first.topic)
        else:
            reused.append(command.expect)
    assert reused == ["refused 409 command_id_reuse"]
    assert sum(command.expect == "repeat" for command in commands) >= 8


def test_everything_is_in_it(commands: Sequence[Outgoing]) -> None:
    """Every command that is sent by hand, every graph, many codes of refusals, one record that is no command."""
    assert {command.type for command in commands} == {*COMMANDS, "raw"} - {"erase-person"}
    defaults = {command.data["settings"].get("default_graph") for command in commands if "settings" in command.data}
    named = {command.data.get("graph") for command in commands}
    assert {*named, *defaults, "waitlist"} >= load_graphs(None).keys()
    refusals = {command.expect for command in commands if (command.expect or "").startswith("refused")}
    assert len(refusals) >= 20
    assert len({command.data["account_id"] for command in commands if command.data}) == 3
    assert [command.type for command in commands if command.expect == "dead letter"] == ["raw"]


def test_a_chapter_leaves_no_order_to_chance(story: Sequence[Chapter]) -> None:
    """Commands about one thing within a chapter go to one topic, whose partition keeps their order."""
    for chapter in story:
        topics: dict[tuple[str, str], set[str]] = {}
        for command in chapter.commands:
            if command.id is not None and command.key == command.aggregate_id.encode():
                name = (str(command.data["account_id"]), command.aggregate_id)
                topics.setdefault(name, set()).add(command.topic)
        assert all(len(used) == 1 for used in topics.values()), chapter.title


def test_it_is_written_for_readers(commands: Sequence[Outgoing]) -> None:
    """No line is longer than a few hundred characters."""
    lines = story_path().read_text(encoding="utf-8").splitlines()
    assert len(lines) > len(commands)
    assert max(map(len, lines)) < 700
