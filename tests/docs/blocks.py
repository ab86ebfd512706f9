"""Code blocks of the project's pages: fenced ones with their language, indented ones as shell."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^ {0,3}```(\w*)\s*$")
_INDENT = "    "
# Drawings and their descriptions, which `tests/graphs` compares with what is made from the graphs.
_MADE = ("service/graphs/README.md",)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: the page, the number of its first line, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages(root: Path) -> list[str]:
    """Every page of the project that somebody writes by hand."""
    folders = (root, *(root / name for name in ("service", "schemas", "tests", "deploy", ".github")))
    found = {path for folder in folders for path in (folder.glob("*.md") if folder == root else folder.rglob("*.md"))}
    return sorted(name for path in found if (name := path.relative_to(root).as_posix()) not in _MADE)


def blocks(root: Path) -> list[Block]:
    """Every code block of every page."""
    return [block for page in pages(root) for block in read_blocks(page, (root / page).read_text(encoding="utf-8"))]


def read_blocks(page: str, text: str) -> Iterator[Block]:
    """The blocks of one page."""
    language, started, held = "", 0, list[str]()
    fenced, before = False, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        fence = _FENCE.match(line)
        if fenced:
            if fence is None:
                held.append(line)
                continue
            yield Block(page, started, language, "\n".join(held) + "\n")
            fenced, held = False, []
        elif fence is not None:
            fenced, language, started = True, fence[1], number + 1
        elif line.startswith(_INDENT) and (held or (not before.strip() and not _in_list(line))):
            started = started if held else number
            held.append(line.removeprefix(_INDENT))
        elif held:
            yield Block(page, started, "sh", "\n".join(held) + "\n")
            held = []
        before = line


def _in_list(line: str) -> bool:
    return line.lstrip().startswith(("- ", "* "))
