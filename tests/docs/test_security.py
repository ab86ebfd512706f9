"""The threat model names a test for every threat."""

import re
from pathlib import Path


def test_each_threat_names_its_proof(project_root: Path) -> None:
    """Each line of the table ends with files of tests that exist."""
    text = (project_root / ".github" / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)`", row.rsplit("|", 2)[1])
        assert named, row
        assert all("def test_" in (project_root / path).read_text(encoding="utf-8") for path in named), row
