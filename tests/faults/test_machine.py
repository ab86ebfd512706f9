"""What a machine does to processes breaks no promise: a clock that jumps, a disk that is full."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from service.store.migrate import migrate
from tests.e2e.checker import told
from tests.faults import run
from tests.faults.kinds.fault import Fault
from tests.faults.kinds.machine import ClockJumped, DiskFull
from tests.faults.stage import Cast, Load, staged_on
from tests.support.small_disk import SmallDisk

SEED = 11
ROLES = ("worker", "worker", "relay,clock")
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


async def test_wall_clocks_that_jump(
    kafka: str, topic_prefix: str, database_url: str, tmp_path: Path, jumping_clocks: Path
) -> None:
    """Nothing that is decided depends on them, and nothing waits for an hour or fires an hour early."""
    faults = [
        [ClockJumped("clock-jumped", "worker", 2.5, 3600), ClockJumped("clock-jumped", "clock", 2.5, -3600)],
        [ClockJumped("clock-jumped", "worker", 2.5, -86_400), ClockJumped("clock-jumped", "clock", 2.5, 3600)],
    ]
    await _survives((kafka, topic_prefix, database_url), tmp_path, Cast(ROLES, clocks=jumping_clocks), faults)


async def test_a_disk_that_is_full(kafka: str, topic_prefix: str, tmp_path: Path, full_disk: SmallDisk) -> None:
    """PostgreSQL ends itself; when there is room again and it has recovered, all goes on."""
    full_disk.postgres.start()
    await migrate(full_disk.postgres.url)
    faults = [[DiskFull("disk-full", "postgresql", 1.0, full_disk)]]
    await _survives((kafka, topic_prefix, full_disk.postgres.url), tmp_path, Cast(ROLES), faults)


async def _survives(
    where: tuple[str, str, str], directory: Path, cast: Cast, faults: Sequence[Sequence[Fault]]
) -> None:
    async with staged_on(*where, directory, cast, Load(SEED)) as stage:
        report = await run.run(stage, faults, run.Limits(), SEED)
    assert not report.wrong, told(report.wrong)
    assert len(report.trials) == sum(map(len, faults))
    assert not [trial.told for trial in report.trials if None in (trial.first, trial.timer, trial.caught_up)]
