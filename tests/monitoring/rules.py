"""The rules as Prometheus gets them: what is recorded, and the alerts with their thresholds."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.deploy.rendered import Object, Rendered

_THRESHOLD: Final = re.compile(r"(?P<comparison>[<>]) (?P<value>[0-9.]+)$")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; `threshold` is the number that its expression compares with, and on which side of it one fires."""

    name: str
    expr: str
    wait: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def threshold(self) -> tuple[str, float]:
        """`>` or `<`, and the number at the end of the expression's first line."""
        match = _THRESHOLD.search(self.expr.splitlines()[0])
        # `absent` has neither.
        return (match["comparison"], float(match["value"])) if match else (">", 0.0)


def groups(rendered: Rendered) -> list[Object]:
    """All groups of rules, those that record before those that look at it."""
    found = [group for each in rendered.all("PrometheusRule") for group in each["spec"]["groups"]]
    return sorted(found, key=lambda group: any("alert" in rule for rule in group["rules"]))


def alerts(rendered: Rendered) -> list[Alert]:
    """All alerts, in their order."""
    return [
        Alert(rule["alert"], rule["expr"], rule["for"], rule.get("labels", {}), rule.get("annotations", {}))
        for rule in _rules(rendered)
        if "alert" in rule
    ]


def records(rendered: Rendered) -> dict[str, str]:
    """Expressions of what is recorded, by name."""
    return {rule["record"]: rule["expr"] for rule in _rules(rendered) if "record" in rule}


def write(rendered: Rendered, path: Path, every: str | None = None) -> Path:
    """Writes a file of rules for Prometheus, to be evaluated more often than usual if that is asked for."""
    pace = {} if every is None else {"interval": every}
    path.write_text(yaml.safe_dump({"groups": [group | pace for group in groups(rendered)]}), encoding="utf-8")
    return path


def _rules(rendered: Rendered) -> Iterator[Object]:
    for group in groups(rendered):
        yield from group["rules"]
