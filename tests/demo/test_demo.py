import asyncio
import os
import sys
from pathlib import Path

import pytest

from service.cli.demo.story import story_path


@pytest.mark.timeout(180)
async def test_the_whole_story_without_a_terminal(project_root: Path, tmp_path: Path) -> None:
    """Plain lines, exit code 0 by itself, everything as expected, and nothing left behind."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        "demo",
        cwd=project_root,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 150)
    told = out.decode()
    assert (process.returncode, err.decode()) == (0, ""), told[-3000:]
    assert "\x1b" not in told
    assert "versions gapless for each" in told
    assert "as the story expects" in told
    assert told.count("\n  > ") == sum('"expect"' in line for line in story_path().read_text("utf-8").splitlines())
    assert os.listdir(tmp_path) == []  # noqa: PTH208 (nothing waits here any more)
