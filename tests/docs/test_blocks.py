"""Every code block of every page is run by one of the tests of this folder."""

from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks, read_blocks
from tests.docs.commands import RUNNERS, lines, runner

LANGUAGES = {"python", "sh", "mermaid", "go", "java", "javascript", "sql", "promql"}
PAGE = (
    "intro\n\n    make demo   # shows it\n    make test\n\n- a list\n    with a second line\n\n```python\nx = 1\n```\n"
)


def test_blocks_are_found() -> None:
    """Fenced and indented ones, and the second lines of lists are none."""
    assert list(read_blocks("page", PAGE)) == [
        Block("page", 3, "sh", "make demo   # shows it\nmake test\n"),
        Block("page", 10, "python", "x = 1\n"),
    ]


def test_every_block_is_of_a_language_that_is_run(project_root: Path) -> None:
    """A block without a language, or of one that no test runs, is named."""
    found = blocks(project_root)
    assert len(found) > 10
    assert [str(block) for block in found if block.language not in LANGUAGES] == []


def test_every_line_of_shell_has_its_runner(project_root: Path) -> None:
    """A command that no test would run is named."""
    shell = [block for block in blocks(project_root) if block.language == "sh"]
    assert [f"{block}: {line}" for block in shell for line in lines(block) if runner(line) is None] == []


@pytest.mark.parametrize("line", ["rm -rf /", "makes demo", "bookstreamer run"])
def test_an_unknown_command_has_no_runner(line: str) -> None:
    """A line that only looks like one of ours is not taken for run."""
    assert runner(line) is None
    assert RUNNERS
