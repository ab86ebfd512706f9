"""What runs which line of shell on the project's pages."""

import re
import shlex
from types import MappingProxyType
from typing import Final

from tests.docs.blocks import Block

# First word of a line -> the test that runs it.
RUNNERS: Final = MappingProxyType(
    {
        "make": "tests/docs/test_shell.py::test_targets_of_make",
        "pytest": "tests/docs/test_shell.py::test_paths_of_pytest",
        "bookstream": "tests/docs/test_shell.py::test_commands_of_bookstream",
        "eval": "tests/docs/test_shell.py::test_completion",
        "kubectl": "tests/deploy/test_readme.py",
        "docker": "tests/deploy/test_image.py",
    }
)


def lines(block: Block) -> list[str]:
    """The commands of a block of shell: comments and prompts removed, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    return [line for raw in joined.splitlines() if (line := re.sub(r"(^|\s)#.*$", "", raw).strip())]


def runner(line: str) -> str | None:
    """Names the test that runs a line; None when there is none."""
    return RUNNERS.get(words(line)[0])


def words(line: str) -> list[str]:
    """The words of a line, settings in front of the command left out."""
    found = shlex.split(line)
    while found and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", found[0]):
        del found[0]
    return found or [""]
