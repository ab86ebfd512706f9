"""Checks of what watches the service: who is scraped, what is asked for, what is said about it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from service import parts
from service.telemetry import probes
from service.telemetry.metric import Metric
from service.telemetry.names import METRICS
from service.topics import COMMAND_TOPICS, wanted
from tests.deploy.agreement import read
from tests.deploy.rendered import Rendered, called, pod_labels, pod_spec, selects
from tests.monitoring.panels import panels
from tests.monitoring.promql import Selector, grouped_by, selectors
from tests.monitoring.rules import Alert, alerts, records

RUNBOOKS: Final = Path(__file__).resolve().parents[2] / "deploy" / "runbooks"
SEVERITIES: Final = frozenset({"critical", "warning"})
# Of the pod, by Prometheus' operator.
TARGET_LABELS: Final = frozenset({"namespace", "pod"})
# Made by Prometheus, and by the process.
FOREIGN: Final = frozenset(
    {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
)
_DECLARED: Final = {metric.name: metric for metric in METRICS}
_HISTOGRAM: Final = re.compile(r"_(bucket|sum|count)$")


def scraping(rendered: Rendered) -> list[str]:
    """A PodMonitor takes each long-running workload and no other, at a port that it has and a path that is served."""
    found = []
    for monitor in rendered.all("PodMonitor"):
        spec = monitor["spec"]
        taken = [each for each in rendered.workloads() if selects(spec["selector"], pod_labels(each))]
        if taken != rendered.all("Deployment"):
            found.append(f"{called(monitor)}: scrapes {[called(each) for each in taken]}")
        for endpoint in spec["podMetricsEndpoints"]:
            if endpoint.get("path") != probes.METRICS_PATH:
                found.append(f"{called(monitor)}: nothing answers {endpoint.get('path')}")
            found += [
                f"{called(monitor)}: {called(each)} has no port {endpoint.get('port')}"
                for each in taken
                if endpoint.get("port")
                not in {port["name"] for port in pod_spec(each)["containers"][0].get("ports", ())}
            ]
    return found


def expressions(rendered: Rendered) -> Iterator[tuple[str, str]]:
    """Every expression in rules and dashboards, and whose it is."""
    yield from ((alert.name, alert.expr) for alert in alerts(rendered))
    yield from records(rendered).items()
    yield from ((panel.label, expr) for panel in panels(rendered) for expr in panel.expressions)


def metrics(rendered: Rendered) -> list[str]:
    """Expressions ask for metrics that the service shows, by labels that they have; counters by their growth."""
    recorded = records(rendered)
    return [f"{owner}: {each}" for owner, expr in expressions(rendered) for each in problems(expr, recorded)]


def problems(expr: str, recorded: dict[str, str]) -> list[str]:
    """What is wrong with one expression."""
    found = [each for selector in selectors(expr) for each in _selected(selector, recorded)]
    return [*found, *_grouped(expr, recorded)]


def _selected(selector: Selector, recorded: dict[str, str]) -> Iterator[str]:
    if selector.metric in recorded or selector.metric in FOREIGN:
        return
    metric = _metric(selector.metric)
    if metric is None:
        yield f"there is no metric {selector.metric}"
        return
    strange = selector.matchers.keys() - _labels(selector.metric, metric)
    yield from (f"{selector.metric} has no label {label}" for label in sorted(strange))
    grows = metric.kind != "gauge"
    if grows and not selector.ranged:
        yield f"{selector.metric} only grows; ask for its rate or increase"


def _grouped(expr: str, recorded: dict[str, str]) -> Iterator[str]:
    known = set(TARGET_LABELS)
    for selector in selectors(expr):
        metric = _metric(selector.metric)
        known |= _labels(selector.metric, metric) if metric is not None else set()
        known |= grouped_by(recorded.get(selector.metric, ""))
    yield from (f"groups by {label}, which nothing in it has" for label in sorted(grouped_by(expr) - known))


def _metric(name: str) -> Metric | None:
    """The declaration of a name in an expression: parts of a histogram by their suffix, others by themselves."""
    plain = _DECLARED.get(name)
    if plain is not None:
        return None if plain.kind == "histogram" else plain
    whole = _DECLARED.get(_HISTOGRAM.sub("", name))
    return whole if whole is not None and whole.kind == "histogram" else None


def _labels(name: str, metric: Metric) -> set[str]:
    return {*metric.labels, *TARGET_LABELS, *(("le",) if name.endswith("_bucket") else ())}


def alerting(rendered: Rendered) -> list[str]:
    """Each alert says how bad it is, what is the matter, with its number, and where its runbook is, which exists."""
    found = alerts(rendered)
    if not found:
        return []
    told = [f"{alert.name}: {problem}" for alert in found for problem in _told(alert)]
    written = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    return told + [f"{name}: a runbook without an alert" for name in sorted(written - {one.name for one in found})]


def _told(alert: Alert) -> Iterator[str]:
    if alert.labels.get("severity") not in SEVERITIES:
        yield "is of no known severity"
    if not alert.annotations.get("summary"):
        yield "has no summary"
    if "$value" not in alert.annotations.get("description", ""):
        yield "does not tell its number"
    base, _, file = alert.annotations.get("runbook_url", "").rpartition("/")
    if not base.startswith("https://") or file != f"{alert.name}.md":
        yield "does not lead to its runbook"
    elif not (RUNBOOKS / file).is_file():
        yield "has no runbook"


def limits(rendered: Rendered) -> list[str]:
    """Thresholds that stand for a limit elsewhere agree with it."""
    if not rendered.all("PrometheusRule"):
        return []
    values = read(rendered)
    plan = wanted(prefix="", partitions=values.partitions, replication=values.replication)
    kept = min(int(each.config["retention.ms"]) for each in plan if each.name in COMMAND_TOPICS) / 1000
    wanted_of = {
        "BookstreamCommandsNearRetention": kept / 2,
        "BookstreamEventsNearRetention": kept / 2,
        "BookstreamLoopStuck": parts.STUCK_SECONDS / 2,
        "BookstreamForgettingBehind": (values.inbox_retention + timedelta(days=1)).total_seconds(),
    }
    found = {alert.name: alert.threshold[1] for alert in alerts(rendered)}
    return [
        f"{name}: fires at {found.get(name)}, by the limit it should at {value}"
        for name, value in wanted_of.items()
        if found.get(name) != value
    ]
