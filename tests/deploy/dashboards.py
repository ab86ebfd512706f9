"""Checks of the dashboards: what they show, in which order, and with which thresholds."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from service.telemetry.names import METRICS
from tests.deploy.rendered import Rendered
from tests.monitoring.panels import Panel, dashboards, panels
from tests.monitoring.promql import selectors
from tests.monitoring.rules import Alert, alerts, records

ROWS: Final = ("consume", "decode", "dedupe", "load", "decide", "save", "outbox", "relay", "clock", "resources")
UNITS: Final = frozenset({"s", "short", "bytes", "percentunit", "cps", "eps", "recps"})
_ALERT: Final = re.compile(r"\bBookstream\w+")
_NOT_DRAWN: Final = "BookstreamNotScraped"
_PART: Final = re.compile(r"_(bucket|sum|count)$")


def shown(rendered: Rendered) -> list[str]:
    """Every metric of the service is on a dashboard."""
    if not dashboards(rendered):
        return []
    asked = set().union(*(_metrics(expr, rendered) for panel in panels(rendered) for expr in panel.expressions))
    return [f"{metric.name} is on no dashboard" for metric in METRICS if metric.name not in asked]


def drawn(rendered: Rendered) -> list[str]:
    """Thresholds are those of the alerts that a panel names; each alert is named by one that shows its number."""
    known = {alert.name: alert for alert in alerts(rendered)}
    named: Counter[str] = Counter()
    problems = []
    for panel in panels(rendered):
        names = _ALERT.findall(panel.json["description"])
        named.update(names)
        problems += [f"{panel.label}: {problem}" for problem in _thresholds(panel, names, known, rendered)]
    missing = known.keys() - named.keys() - {_NOT_DRAWN} if panels(rendered) else ()
    return problems + [f"{name} is drawn nowhere" for name in sorted(missing)]


def _thresholds(panel: Panel, names: list[str], known: Mapping[str, Alert], rendered: Rendered) -> Iterator[str]:
    steps = panel.json["fieldConfig"]["defaults"]["thresholds"]["steps"]
    values = {step["value"] for step in steps} - {None}
    yield from (f"there is no alert {name}" for name in names if name not in known)
    named = [known[name] for name in names if name in known]
    right = {alert.threshold[1] for alert in named}
    if values != right:
        yield f"draws {sorted(values)}, its alerts fire at {sorted(right)}"
    asked = set().union(*(_metrics(expr, rendered) for expr in panel.expressions))
    for alert in named:
        told = f"{alert.name} ({alert.labels['severity']}): {' '.join(_text(alert))} for {alert.wait}"
        if told not in panel.json["description"]:
            yield f"does not say {told}"
        if asked.isdisjoint(_metrics(alert.expr, rendered)):
            yield f"does not show what {alert.name} is about"


def _text(alert: Alert) -> tuple[str, str]:
    side, value = alert.threshold
    return side, f"{value:.15g}"


def _metrics(expr: str, rendered: Rendered) -> set[str]:
    """Metrics of the service that an expression asks for, by way of what is recorded too."""
    recorded = records(rendered)
    found: set[str] = set()
    for selector in selectors(expr):
        found |= _metrics(recorded[selector.metric], rendered) if selector.metric in recorded else {selector.metric}
    return found | {_PART.sub("", name) for name in found}


def laid_out(rendered: Rendered) -> list[str]:
    """Panels have titles, words, units and legends, do not cover each other, and ask one namespace of one source."""
    problems = [f"{each['title']}: {problem}" for each in dashboards(rendered) for problem in _layout(each)]
    problems += [f"{panel.label}: {problem}" for panel in panels(rendered) for problem in _words(panel.json)]
    for name, count in Counter(each["uid"] for each in dashboards(rendered)).items():
        if count > 1:
            problems.append(f"uid {name} is there {count} times")
    return problems


def _layout(dashboard: dict[str, Any]) -> Iterator[str]:
    ids = Counter(panel["id"] for panel in dashboard["panels"])
    yield from (f"panel {number} is there {count} times" for number, count in ids.items() if count > 1)
    cells: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        own = {(x, y) for x in columns for y in lines}
        if own & cells or columns.stop > 24:
            yield f"{panel['title']} covers another, or is too wide"
        cells |= own
    rows = tuple(panel["title"] for panel in dashboard["panels"] if panel["type"] == "row")
    if dashboard["uid"] == "bookstream-flow" and rows != ROWS:
        yield f"its rows are {rows}"


def _words(panel: dict[str, Any]) -> Iterator[str]:
    if not panel["description"] or panel["fieldConfig"]["defaults"]["unit"] not in UNITS:
        yield "has no description or no known unit"
    for target in panel["targets"]:
        if not target["legendFormat"]:
            yield "has a series without a name"
        if any(source["uid"] != "${datasource}" for source in (panel["datasource"], target["datasource"])):
            yield "is bound to one data source"
        for selector in selectors(target["expr"]):
            if selector.matchers.get("namespace") != "$namespace":
                yield f"asks all namespaces for {selector.metric}"
