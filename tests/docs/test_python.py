"""The programs on the pages, run as they stand against the service."""

import signal
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks
from tests.docs.town import Town, ended, first_line, start_program

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = [block for block in blocks(ROOT) if block.language == "python"]
ENDING = [block for block in PROGRAMS if "group_id" not in block.text]
FOLLOWING = [block for block in PROGRAMS if block not in ENDING]


async def test_upstreams_programs(town: Town) -> None:
    """In the order of the page: each ends well, warnings being errors, and the last one prints what was accepted."""
    assert len(ENDING) >= 2
    printed = []
    for block in ENDING:
        code, out, err = await ended(await start_program(town.program(block)))
        assert code == 0, f"{block}: {err}"
        printed.append(out)
    assert any('"outcome":"applied"' in out and '"state":"confirmed"' in out for out in printed)


@pytest.mark.parametrize("block", FOLLOWING, ids=str)
async def test_downstreams_programs(town: Town, block: Block) -> None:
    """Each prints the changes there are and goes on waiting, until it is interrupted."""
    process = await start_program(town.program(block))
    line = await first_line(process)
    process.send_signal(signal.SIGINT)
    code, _, err = await ended(process)
    assert line.startswith(b"b-1001 1 {"), err
    assert code == -signal.SIGINT, err


def test_there_are_programs_for_both() -> None:
    """Upstreams and downstreams find theirs on the page of the contract."""
    assert {block.page for block in (*ENDING, *FOLLOWING)} >= {"schemas/README.md"}
    assert FOLLOWING
