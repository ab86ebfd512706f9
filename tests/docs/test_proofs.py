"""The page for contributors names files that are there, and a test for each guarantee."""

import re
from pathlib import Path

import pytest

PAGES = ("README.md", "service/README.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(project_root: Path, page: str) -> None:
    """Paths in code spans exist, from the top of the project or beside the page."""
    text = (project_root / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.(?:py|sql|toml|md))?|[a-z_]+/[a-z_]+\.py)`", text))
    assert named
    roots = (project_root, (project_root / page).parent)
    assert sorted(path for path in named if not any((root / path).exists() for root in roots)) == []


def test_each_guarantee_names_its_proof(project_root: Path) -> None:
    """Each line of the table ends with tests that exist and hold tests."""
    text = (project_root / "service" / "README.md").read_text(encoding="utf-8")
    rows = text.split("| guarantee | kept by | test |\n|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert len(rows) > 8
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)`", row.rsplit("|", 2)[1])
        assert tests, row
        assert all("def test_" in (project_root / path).read_text(encoding="utf-8") for path in tests), row


def test_each_package_has_its_row(project_root: Path) -> None:
    """The table of rooms is complete."""
    text = (project_root / "service" / "README.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in (project_root / "service").glob("*/__init__.py")}
    assert sorted(name for name in packages if not re.search(rf"^\| .*`{name}/`", text, re.MULTILINE)) == []
