"""Every kind of fault at least once, four at a time where their areas differ, and no promise is broken."""

import sys
from pathlib import Path

import pytest

from tests.e2e.checker import told
from tests.faults import run
from tests.faults.kinds.registry import all_kinds
from tests.faults.schedule import crowded_round
from tests.faults.stage import Cast, Load, staged

SEED = 7
PACE = 150.0
# Short, so that every kind fits; the long ones are the soak's.
LONGEST = 2.2
NEEDED = {"relay-frozen": 6.0}
# Of the rules that the stories are about; the rest is a matter of course.
TOLD = "expired version_conflict validated link_used slot_taken max_customer_visits booking invalid_signature"


@pytest.mark.nodes
@pytest.mark.timeout(1_500)
async def test_no_fault_breaks_a_promise(tmp_path: Path) -> None:
    """What was acknowledged takes effect once; events are gapless and in order; the database agrees; nothing waits."""
    crowds = crowded_round(SEED, most=4)
    for fault in (fault for crowd in crowds for fault in crowd):
        fault.seconds = min(fault.seconds, NEEDED.get(fault.kind, LONGEST))
    async with staged(tmp_path, Cast(), Load(SEED, PACE)) as stage:
        report = await run.run(stage, crowds, run.Limits(), SEED, tell=lambda line: print(line, file=sys.stderr))
    assert not report.wrong, told(report.wrong)
    assert {trial.kind for trial in report.trials} == set(all_kinds())
    assert not [trial.told for trial in report.trials if not trial.came_about]
    assert not [trial.told for trial in report.trials if None in (trial.first, trial.timer, trial.caught_up)]
    assert not report.ended
    assert report.outcomes.keys() >= set(TOLD.split())
    assert report.events > PACE * 10
