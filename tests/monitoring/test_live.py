"""A real Prometheus that scrapes the real service: each query of dashboards, rules and runbooks gets an answer."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from service.telemetry import names
from service.telemetry.names import METRICS
from tests.deploy.monitoring import RUNBOOKS, expressions
from tests.deploy.rendered import Rendered
from tests.docs.blocks import blocks
from tests.e2e.stage import Stage, open_location
from tests.monitoring.panels import panels
from tests.monitoring.promql import selectors
from tests.monitoring.rules import records, write
from tests.monitoring.server import NAMESPACE, Prometheus, Sample
from tests.monitoring.traffic import keep_going, lose_a_race, remember_too_long
from tests.support.wait import until

ROLES: Final = ("worker", "relay", "clock")
_VARIABLES: Final = {"$namespace": NAMESPACE, "$pod": ".+", "$__rate_interval": "10s"}
_ANSWERED_SECONDS: Final = 60.0
# Needs more unsigned commands in a minute than are answered.
_AT_REST: Final = frozenset({names.UNANSWERED})
# What has no answer: no such series, and no number.
_WRONG: Final = {'bookstream_commands_total{outcome="repeatd"}', "vector(0) / 0"}


def filled(expr: str) -> str:
    """A query of a dashboard, as Grafana sends it."""
    for variable, value in _VARIABLES.items():
        expr = expr.replace(variable, value)
    return expr


@dataclass(frozen=True, slots=True)
class Watched:
    """The service in three processes, and who scrapes them."""

    stage: Stage
    prometheus: Prometheus

    async def ask(self, expr: str) -> list[Sample]:
        """The answer to a query."""
        return await asyncio.to_thread(self.prometheus.query, expr)

    async def unanswered(self, queries: set[str]) -> set[str]:
        """Those that have no answer, or one that is no number."""
        answers = [(each, await self.ask(each)) for each in sorted(queries)]
        return {each for each, found in answers if not found or not all(math.isfinite(value) for _, value in found)}

    async def all_answered(self, queries: set[str]) -> None:
        """Waits until each query has an answer."""
        left = set(queries)
        with contextlib.suppress(TimeoutError):
            await until(lambda: self._fewer(left), _ANSWERED_SECONDS)
        assert left == set()

    async def _fewer(self, left: set[str]) -> bool:
        left &= await self.unanswered(left)
        return not left


@asynccontextmanager
async def watched(stage: Stage, program: Path, rules: Path) -> AsyncIterator[Watched]:
    """Starts all of it."""
    with contextlib.ExitStack() as stack:
        services = {role: stack.enter_context(stage.service(role)) for role in ROLES}
        pods = {f"bookstream-{role}-0": service.address for role, service in services.items()}
        prometheus = stack.enter_context(Prometheus(program, rules.parent, rules, pods))
        for service in services.values():
            await service.ready()
        yield Watched(stage, prometheus)


def _queries(rendered: Rendered) -> Iterator[str]:
    """Of dashboards as they are; of the rest what they look at, since an alert that does not fire has no answer."""
    for panel in panels(rendered):
        yield from map(filled, panel.expressions)
    asked = [expr for _, expr in expressions(rendered)]
    asked += [each.text for each in blocks(RUNBOOKS.parents[1]) if each.language == "promql"]
    for expr in asked:
        yield from (filled(selector.text.removesuffix("{}")) for selector in selectors(expr))
    yield from records(rendered)


@pytest.mark.timeout(180)
async def test_every_query_has_an_answer(
    environment: Callable[[str], Rendered], stage: Stage, prometheus: Path, tmp_path: Path
) -> None:
    """Under a load that makes every counter move; rules are evaluated without an error, and the right alert fires."""
    production = environment("production")
    await remember_too_long(stage)
    async with watched(stage, prometheus, write(production, tmp_path / "rules.yaml", "1s")) as now:
        await until(lambda: _is_scraped(now))
        await open_location(stage)
        await lose_a_race(stage)
        enough = asyncio.Event()
        traffic = asyncio.create_task(keep_going(stage, enough))
        try:
            await now.all_answered(set(_queries(production)))
            moving = {metric.name for metric in METRICS if metric.kind != "gauge" and metric not in _AT_REST}
            await now.all_answered({f"{_count(name)} > 0" for name in moving})
        finally:
            enough.set()
            await traffic
        assert await now.unanswered({*_WRONG, "vector(0)"}) == _WRONG
        await _check_rules(now)


async def _is_scraped(now: Watched) -> bool:
    return [value for _, value in await now.ask("up")] == [1.0] * len(ROLES)


def _count(name: str) -> str:
    return f"sum({name} or {name}_count)"


async def _check_rules(now: Watched) -> None:
    rules = await asyncio.to_thread(now.prometheus.rules)
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    firing = {rule["name"]: rule["alerts"] for rule in rules if rule.get("state") == "firing"}
    assert "BookstreamMisplacedRecords" in firing
    (alert,) = firing["BookstreamMisplacedRecords"]
    assert alert["labels"]["topic"] == "booking-commands"
    assert alert["annotations"]["runbook_url"].endswith("/BookstreamMisplacedRecords.md")
