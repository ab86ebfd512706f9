"""SIGKILL at any moment costs nothing: each command has one effect."""

import os
from pathlib import Path

import pytest

from tests.e2e.broker import Broker
from tests.e2e.checker import told
from tests.e2e.kill import Judge, plan

COMMANDS = int(os.environ.get("BOOKSTREAM_TEST_KILL_COMMANDS", "5000"))


@pytest.mark.timeout(180 + COMMANDS / 200)
async def test_three_kills_lose_nothing_and_double_nothing(
    kafka: str, database_url: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Every command has exactly one effect, in order and without gaps; repeats are the same bytes."""
    report = await Judge(Broker(kafka, topic_prefix), database_url, plan(COMMANDS, seed=7), tmp_path).run()
    assert not report.wrong, told(report.wrong)
    assert len(report.published) == 3
    assert report.distinct < COMMANDS
