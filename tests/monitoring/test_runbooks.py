"""Runbooks tell what there is, and what they tell people to run can be run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from service.cli.main import COMMANDS
from service.telemetry.names import METRICS
from tests.deploy.monitoring import RUNBOOKS, problems
from tests.deploy.rendered import COMPONENT, Rendered
from tests.docs.blocks import Block, blocks
from tests.docs.commands import lines
from tests.monitoring.rules import alerts, records

PARTS: Final = ("**Means.** ", "**Users notice.** ", "**Look at**", "**Do**", "**Over when** ")
_BLOCKS: Final = [each for each in blocks(RUNBOOKS.parents[1]) if each.page.startswith("deploy/runbooks/")]


def _of(language: str) -> list[Block]:
    return [each for each in _BLOCKS if each.language == language]


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("Bookstream*.md")), ids=lambda path: path.stem)
def test_parts_of_a_runbook(environment: Callable[[str], Rendered], path: Path) -> None:
    """What it means, what users notice, where to look, what to do, when it is over; alerts it speaks of exist."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.stem}\n")
    assert [part for part in PARTS if text.count(f"\n{part}") != 1] == []
    known = {alert.name for alert in alerts(environment("production"))}
    assert set(re.findall(r"Bookstream\w+", text)) <= known
    assert any(block.page.endswith(path.name) for block in _BLOCKS)


@pytest.mark.parametrize("block", _of("sql"), ids=str)
async def test_queries_in_sql(database_url: str, block: Block) -> None:
    """PostgreSQL takes them on the tables that there are."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(readonly=True):
            await connection.fetch(block.text)
    finally:
        await connection.close()


@pytest.mark.parametrize("block", _of("promql"), ids=str)
def test_queries_in_promql(environment: Callable[[str], Rendered], block: Block) -> None:
    """They ask for metrics that there are, by their labels."""
    assert problems(block.text, records(environment("production"))) == []


def test_commands(environment: Callable[[str], Rendered]) -> None:
    """Objects that kubectl is told are ours, and what runs in a pod is a command of bookstream."""
    production = environment("production")
    present = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in production.objects}
    present |= {f"service/{each['metadata']['name']}-rw" for each in production.all("Cluster")}
    roles = {each["spec"]["template"]["metadata"]["labels"][COMPONENT] for each in production.workloads()}
    found = [line for block in _of("sh") for line in lines(block)]
    assert found
    for line in found:
        named = {
            f"{kind.partition('.')[0]}/{name}" for kind, name in re.findall(r" ([a-z.]+)/(bookstream[a-z-]*)", line)
        }
        assert named <= present, line
        assert set(re.findall(r"component=(\w+)", line)) <= roles, line
        assert set(re.findall(r"-- (?:timeout \d+ )?bookstream ([a-z]+)", line)) <= set(COMMANDS), line


def test_metrics_in_sentences() -> None:
    """A name in backticks is one of a metric, or of a part of a histogram."""
    known = {metric.name for metric in METRICS if metric.kind != "histogram"}
    known |= {
        f"{each.name}_{part}" for each in METRICS if each.kind == "histogram" for part in ("sum", "count", "bucket")
    }
    text = "\n".join(path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md"))
    named = set(re.findall(r"`(bookstream_\w+)", text))
    assert named
    assert named <= known
