import re
from pathlib import Path

import pytest

README = Path("service/domain/README.md")
SYSTEMS = {"Waitwhile", "AgendaPro", "Munu", "Timekit", "Leat"}


@pytest.fixture
def text(project_root: Path) -> str:
    """The page about the core."""
    return (project_root / README).read_text(encoding="utf-8")


def test_every_test_that_is_named_is_there(text: str, project_root: Path) -> None:
    """What the page says is proved by tests that can be found."""
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text))
    assert len(named) == len(set(re.findall(r"tests/[^`]*::[^`]*", text)))
    assert [f"{path}::{name}" for path, name in sorted(named) if not _is_there(project_root / path, name)] == []


def _is_there(path: Path, name: str) -> bool:
    return path.is_file() and re.search(rf"^(async )?def {name}\(", path.read_text("utf-8"), re.MULTILINE) is not None


def test_every_line_of_a_table_has_its_proof(text: str) -> None:
    """Each of the five systems has its table, and each line of it names at least one test."""
    assert set(re.findall(r"^## (\w+):", text, re.MULTILINE)) == SYSTEMS
    for section in text.split("\n## ")[1:]:
        lines = [line for line in section.splitlines() if line.startswith("| ")]
        assert lines.pop(0) == "| the page says | bookstream | test |"
        assert lines
        assert [line for line in lines if not re.fullmatch(r"\| [^|]+ \| [^|]+ \| (`tests/\S+`(, )?)+ \|", line)] == []
