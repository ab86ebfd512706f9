"""Lines of shell on the pages, run as a reader would run them."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.docs.blocks import blocks
from tests.docs.commands import lines, words
from tests.docs.town import Town, ended, first_line, start_shell, with_bookstream

ROOT = Path(__file__).resolve().parents[2]
SHELL = [line for block in blocks(ROOT) if block.language == "sh" for line in lines(block)]
# Go on until they are interrupted.
ENDLESS = {"tail", "run"}
# Ends with 1 where it has found something, and a server for tests is not one for data.
FINDING = {"doctor"}


def beginning(word: str) -> list[str]:
    """The lines that begin with a command, each once."""
    return sorted({line for line in SHELL if words(line)[0] == word})


@pytest.mark.parametrize("line", beginning("make"))
async def test_targets_of_make(line: str) -> None:
    """Make knows what it would do: the targets are there. What they do has tests of its own, or is these tests."""
    code, out, err = await ended(await start_shell(line.replace("make", "make --dry-run", 1), os.environ))
    assert code == 0, err
    assert out


@pytest.mark.parametrize("line", beginning("pytest"))
def test_paths_of_pytest(line: str) -> None:
    """The paths hold tests, which CI runs with all others."""
    found = [ROOT / path for path in words(line)[1:] if not path.startswith("-")]
    assert found
    assert all(path.is_file() or list(path.rglob("test_*.py")) for path in found)


@pytest.mark.timeout(300)
async def test_commands_of_bookstream(town: Town, tmp_path: Path) -> None:
    """Each runs against the service and ends with 0; those that go on do so until Ctrl-C."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "schemas", tree / "schemas")
    settings = with_bookstream(town.settings, tmp_path)
    for line in beginning("bookstream"):
        process = await start_shell(line, settings, tree if "schemas/" in line else ROOT)
        if words(line)[1] in ENDLESS:
            await first_line(process)
            process.send_signal(signal.SIGINT)
        code, out, err = await ended(process)
        assert code == 0 or (code == 1 and words(line)[1] in FINDING and out), f"{line}: {out}{err}"


async def test_completion(tmp_path: Path) -> None:
    """The lines that switch completion on make bash complete a command's name."""
    settings = with_bookstream(os.environ, tmp_path)
    assert beginning("eval")
    for line in beginning("eval"):
        asked = "COMP_WORDS=(bookstream mig) COMP_CWORD=1; _bookstream_completion bookstream"
        script = f"{line}\n{asked}\necho ${{COMPREPLY[@]}}"
        code, out, err = await ended(await start_shell(script, settings))
        assert (code, out.split()) == (0, ["migrate"]), err
