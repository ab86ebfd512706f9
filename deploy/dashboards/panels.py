"""What a dashboard is made of: rows of panels, and queries in PromQL over the metrics that are declared."""

from dataclasses import dataclass
from typing import Final

from service.telemetry.metric import Metric

# Of the namespace and the pods that are chosen at the top of the dashboard.
HERE: Final = 'namespace="$namespace",pod=~"$pod"'
NAMESPACE: Final = 'namespace="$namespace"'


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how its series are called."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture; the thresholds of `alerts` are drawn in it."""

    title: str
    unit: str
    description: str
    queries: tuple[Query, ...]
    alerts: tuple[str, ...] = ()
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of Grafana; `name` is its file and the end of its address."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]


def rate(metric: Metric, *by: str, where: str = "", part: str = "") -> str:
    """Growth per second of a counter, or of a `part` of a histogram."""
    return f"sum{_by(by)} (rate({metric.name}{part}{{{HERE}{_and(where)}}}[$__rate_interval]))"


def growth(metric: Metric, *by: str, where: str = "", over: str = "5m") -> str:
    """How many more in a while."""
    return f"sum{_by(by)} (increase({metric.name}{{{HERE}{_and(where)}}}[{over}]))"


def total(metric: Metric, *by: str, where: str = "") -> str:
    """Sum of a gauge."""
    return f"sum{_by(by)} ({metric.name}{{{HERE}{_and(where)}}})"


def most(metric: Metric, *by: str, where: str = "") -> str:
    """Maximum of a gauge."""
    return f"max{_by(by)} ({metric.name}{{{HERE}{_and(where)}}})"


def least(metric: Metric, *by: str, where: str = "") -> str:
    """Minimum of a gauge."""
    return f"min{_by(by)} ({metric.name}{{{HERE}{_and(where)}}})"


def quantile(share: float, metric: Metric, *by: str, where: str = "") -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, {rate(metric, 'le', *by, where=where, part='_bucket')})"


def mean(metric: Metric, *by: str) -> str:
    """The mean of a histogram."""
    return f"{rate(metric, *by, part='_sum')} / ({rate(metric, *by, part='_count')} > 0)"


def of_process(metric: str) -> str:
    """A gauge of the process itself, by pod."""
    return f"sum by (pod) ({metric}{{{HERE}}})"


def recorded(name: str) -> str:
    """What a rule records, by namespace."""
    return f"{name}{{{NAMESPACE}}}"


def quantiles(metric: Metric, *by: str, where: str = "") -> tuple[Query, ...]:
    """The middle and the slow end, as two queries."""
    called = " ".join(f"{{{{{label}}}}} " for label in by)
    return tuple(
        Query(quantile(share, metric, *by, where=where), f"{called}p{share * 100:.0f}") for share in (0.5, 0.99)
    )


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""


def _and(where: str) -> str:
    return f",{where}" if where else ""
