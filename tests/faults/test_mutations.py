"""The checker can fail: a service that lacks one safeguard is found out, each by the promise that it breaks."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.checker import told
from tests.faults import run
from tests.faults.kinds.exchanges import Interrupted
from tests.faults.kinds.fault import Fault
from tests.faults.kinds.network import Network
from tests.faults.mutants import MUTATIONS
from tests.faults.stage import Cast, Load, staged_on
from tests.faults.traffic import Mix

ALL = os.environ.get("BOOKSTREAM_TEST_MUTATIONS") == "all"
FAST = ("no-inbox", "two-owners", "progress-before-commit")
RECORDS = 1_500
SEED = 3


@dataclass(frozen=True, slots=True)
class Case:
    """What brings a mutation to light, how often it takes place, and how the checker puts it."""

    told: str
    fault: Callable[[], Fault] | None = None
    times: int = 1
    mix: Mix = field(default_factory=Mix)
    pace: float = 300.0
    records: int = RECORDS
    most_repeated: int | None = None
    roles: Sequence[str] = ("worker", "worker", "relay,clock")


def _death_after_commit() -> Fault:
    return Interrupted("commit-not-answered-and-death", "worker", 0, "commit", "answer", dies=True)


CASES = {
    "no-inbox": Case("wrong or missing result"),
    "outbox-outside-the-transaction": Case("lost: no event", _death_after_commit),
    # Both have to meet the same row, in the moment before one of them deletes it.
    "two-owners": Case(
        "published again", records=4 * RECORDS, most_repeated=0, roles=("worker", "relay,clock", "relay")
    ),
    "progress-before-commit": Case(
        "lost: no event",
        lambda: Interrupted("commit-not-sent", "worker", 0, "commit", "request", dies=False),
        # A batch may hold nothing that would be missed.
        times=4,
    ),
    "progress-after-commit": Case("handled twice", _death_after_commit, mix=Mix(strays=0.5)),
    "blind-write": Case(
        "out of order",
        lambda: Network("postgresql-slow", "postgresql", 4, "slow", "postgresql", "worker", delay=0.03),
        mix=Mix(single=0, timed=0, groups=6, ticks=0, stories=0, commands=600),
    ),
}
# The sound service is run beside the mutants only where there is time.
CHOSEN = [(name, mutated) for name in CASES for mutated in (True, False)] if ALL else [(name, True) for name in FAST]


def test_every_mutation_has_its_case() -> None:
    """None is left out."""
    assert CASES.keys() == MUTATIONS.keys()


@pytest.mark.kafka
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "mutated"), CHOSEN)
async def test_a_mutation_is_found(
    name: str, *, mutated: bool, kafka: str, topic_prefix: str, database_url: str, tmp_path: Path
) -> None:
    """A service without the safeguard fails the run that the sound one passes."""
    case = CASES[name]
    command = (sys.executable, "-m", "tests.faults.mutants", name) if mutated else Cast().command
    wrong = await _judged(case, command, (kafka, topic_prefix, database_url), tmp_path)
    if mutated:
        assert any(text.startswith(case.told) for text in wrong), told(wrong)
    else:
        assert not wrong, told(wrong)


async def _judged(case: Case, command: Sequence[str], where: tuple[str, str, str], directory: Path) -> list[str]:
    cast, load = Cast(case.roles, command), Load(SEED, case.pace, case.mix)
    async with staged_on(*where, directory, cast, load) as stage:
        # With a fault there is traffic for as long as it takes.
        limits = run.Limits(records=None if case.fault else case.records)
        faults = [[case.fault()] for _ in range(case.times)] if case.fault else []
        return (await run.run(stage, faults, limits, SEED, case.most_repeated)).wrong
