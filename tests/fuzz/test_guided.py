import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.test_engine import Broken, Sound

MODULE = """
def target(data):
    if data[:3] == b"key":
        raise LookupError("it opened")
"""


class Lock(Broken):
    """A target in a module of its own, which guided cases open within a second, and others in years."""

    def target(self, data: bytes) -> None:
        """Breaks at a word."""
        if data[:3] == b"key":
            raise LookupError("it opened")

    target.__module__ = "lock"


def test_without_its_library_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is tried, and what to install is named."""
    monkeypatch.setitem(sys.modules, "atheris", None)
    assert main(["--guided", "--target", "sound"], {"sound": Sound()}) == 2
    assert "pip install atheris" in capsys.readouterr().err


@pytest.mark.atheris
def test_what_the_code_looks_for_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A case that chance would not make is made of what was compared, and shown like any other."""
    (tmp_path / "lock.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    assert main(["--guided", "--target", "lock", "--cases", "200000", "--seconds", "30"], {"lock": Lock()}) == 1
    told = capfd.readouterr().out
    assert "LookupError: it opened" in told
    assert "case as hex: 6b6579" in told


@pytest.mark.atheris
def test_a_sound_target_ends_well(capfd: pytest.CaptureFixture[str]) -> None:
    """So many cases are tried."""
    assert main(["--guided", "--target", "links", "--cases", "2000"]) == 0
    assert "Done 2000 runs" in capfd.readouterr().err
