"""What Prometheus' own tool says of the rules."""

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rendered import Rendered, put
from tests.monitoring.cases import CASES, Case, Series
from tests.monitoring.rules import Alert, alerts, groups, write

_EVERYWHERE = {"NotScraped"}


def _promtool(promtool: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([promtool, *arguments], capture_output=True, check=False, text=True)


def _tests(rendered: Rendered, folder: Path, cases: Sequence[Case]) -> Path:
    """Writes rules and their unit tests."""
    rules = write(rendered, folder / "rules.yaml")
    known = {alert.name: alert for alert in alerts(rendered)}
    tests = [test for case in cases for test in _of(case, known[f"Bookstream{case.alert}"])]
    content = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "group_eval_order": [group["name"] for group in groups(rendered)],
        "tests": tests,
    }
    path = folder / "tests.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _of(case: Case, alert: Alert) -> list[dict[str, Any]]:
    place = {} if case.alert in _EVERYWHERE else {"namespace": "n"}
    firing = {
        "exp_labels": {**alert.labels, **place, **case.labels},
        "exp_annotations": {**alert.annotations, "description": case.told},
    }
    at = [_expected(alert, case.at - 1, []), _expected(alert, case.at, [firing])]
    never = [_expected(alert, minute, []) for minute in range(case.at + 10)]
    return [_test(case.fires, [one for one in at if one["eval_time"] != "-1m"])] + [
        _test(series, never) for series in case.quiet
    ]


def _expected(alert: Alert, minute: int, firing: list[object]) -> dict[str, Any]:
    return {"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": firing}


def _test(series: Series, expected: list[dict[str, Any]]) -> dict[str, Any]:
    given = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": "1m", "input_series": given, "alert_rule_test": expected}


def test_rules_are_valid(environment: Callable[[str], Rendered], promtool: Path, tmp_path: Path) -> None:
    """Prometheus would load them."""
    for name in ("staging", "production"):
        run = _promtool(
            promtool, "check", "rules", "--lint=all", "--lint-fatal", write(environment(name), tmp_path / name)
        )
        assert run.returncode == 0, run.stderr


def test_invalid_rules_are_found(production: Rendered, promtool: Path, tmp_path: Path) -> None:
    """A mistake in an expression is one."""
    put("PrometheusRule", "bookstream-alerts", "spec/groups/0/rules/0/expr", "max(by")(production)
    run = _promtool(promtool, "check", "rules", write(production, tmp_path / "rules.yaml"))
    assert run.returncode != 0


def test_each_alert_has_its_cases(environment: Callable[[str], Rendered]) -> None:
    """One at which it fires, and one at which it does not."""
    found = [alert.name.removeprefix("Bookstream") for alert in alerts(environment("production"))]
    assert {case.alert for case in CASES} == set(found)
    assert {case.alert for case in CASES if case.quiet} == set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", sorted({case.alert for case in CASES}))
def test_an_alert_fires_where_it_should(
    environment: Callable[[str], Rendered], promtool: Path, tmp_path: Path, name: str
) -> None:
    """With its labels and its text, not a minute too early, and not just below its threshold."""
    cases = [case for case in CASES if case.alert == name]
    run = _promtool(promtool, "test", "rules", _tests(environment("production"), tmp_path, cases))
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("direction", ["sooner", "later"])
def test_a_moved_threshold_is_noticed(production: Rendered, promtool: Path, tmp_path: Path, direction: str) -> None:
    """The cases are so close that a threshold of three per cent more or less fails them, for each alert."""
    expected = {each.name for each in alerts(production)} - {"BookstreamNotScraped"}
    for name in expected:
        _move(production, name, direction)
    run = _promtool(promtool, "test", "rules", _tests(production, tmp_path, CASES))
    assert set(re.findall(r"alertname: ?(\w+)", run.stdout + run.stderr)) == expected


def _move(rendered: Rendered, name: str, direction: str) -> None:
    (rule,) = [rule for group in groups(rendered) for rule in group["rules"] if rule.get("alert") == name]
    (alert,) = [each for each in alerts(rendered) if each.name == name]
    comparison, value = alert.threshold
    away = (1 if comparison == ">" else -1) * (1 if direction == "later" else -1)
    moved = value + away if value in (0, 1) else value * (1 + 0.03 * away)
    rule["expr"] = re.sub(rf"{comparison} {value:.15g}(?=$|\n)", f"{comparison} {moved:f}", rule["expr"], count=1)
    assert rule["expr"] != alert.expr
