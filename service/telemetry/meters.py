"""Where the service counts: plain numbers, since one loop writes them; prometheus_client turns them into text.

Its own counters take a lock and search their buckets for each observation. Here a whole batch is added at once.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from service.telemetry.metric import Metric
from service.telemetry.names import METRICS
from service.telemetry.processes import Processes

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = tuple[str, ...]
Reading: TypeAlias = Mapping[Labels, float]
# The values of a process as JSON can say them: metric -> its series.
Dump: TypeAlias = Mapping[str, Sequence[tuple[Sequence[str], Any]]]

_TOGETHER: Final[Mapping[str, Callable[[float, float], float]]] = {
    "sum": lambda old, new: old + new,
    "max": max,
    "min": min,
}


@dataclass(slots=True)
class Buckets:
    """How many observations fell between two bounds, and their sum."""

    counts: list[int]
    sum: float = 0.0


class Meters(Collector):
    """The values of all declared metrics in this process. Only what was counted, set or expected appears."""

    def __init__(self, others: Sequence[int] = ()) -> None:
        """`others` are the ids of processes whose values are added to those of this one."""
        self._counters: dict[str, dict[Labels, float]] = {name: {} for name in _names("counter")}
        self._gauges: dict[str, dict[Labels, float]] = {name: {} for name in _names("gauge")}
        self._histograms: dict[str, dict[Labels, Buckets]] = {name: {} for name in _names("histogram")}
        self._watched: list[tuple[Metric, Callable[[], Reading]]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._registry.register(Processes(others))

    def expect(self, metric: Metric, labels: Iterable[Labels] = ((),)) -> None:
        """Shows a counter or histogram from the start, so that its first increase is seen as one."""
        for each in labels:
            if metric.kind == "counter":
                self.add(metric, 0, *each)
            else:
                self._buckets(metric, each)

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Adds to a counter."""
        values = self._counters[metric.name]
        if labels not in values:
            _check(metric, labels)
            values[labels] = 0
        values[labels] += amount

    def observe(self, metric: Metric, values: Iterable[float], *labels: str) -> None:
        """Adds observations to a histogram."""
        bounds, buckets = metric.bounds, self._buckets(metric, labels)
        for value in values:
            buckets.counts[bisect_left(bounds, value)] += 1
            buckets.sum += value

    def observe_counted(self, metric: Metric, values: Iterable[tuple[float, int]], *labels: str) -> None:
        """Adds observations of which many are alike: a value, and how often it was observed."""
        bounds, buckets = metric.bounds, self._buckets(metric, labels)
        for value, count in values:
            buckets.counts[bisect_left(bounds, value)] += count
            buckets.sum += value * count

    def replace(self, metric: Metric, reading: Reading) -> None:
        """Sets a gauge: these series and no others."""
        for labels in reading:
            _check(metric, labels)
        self._gauges[metric.name] = dict(reading)

    def watch(self, metric: Metric, read: Callable[[], Reading]) -> None:
        """Reads a gauge whenever metrics are asked for."""
        self._watched.append((metric, read))

    def value(self, metric: Metric, *labels: str) -> float:
        """Gives a counter's or gauge's present value, 0 where there is none; a histogram's number of observations."""
        self._read_watched()
        if metric.kind == "histogram":
            buckets = self._histograms[metric.name].get(labels)
            return 0 if buckets is None else sum(buckets.counts)
        return (self._counters if metric.kind == "counter" else self._gauges)[metric.name].get(labels, 0)

    def collect(self) -> Iterator[Family]:
        """Gives prometheus_client everything that there is."""
        self._read_watched()
        for metric in METRICS:
            family = self._family(metric)
            if family.samples:
                yield family

    def text(self, dumps: Iterable[Dump] = (), others: Sequence[int] = ()) -> bytes:
        """Writes all metrics in Prometheus' text format, together with those of the `others` where there are any."""
        if not others:
            return generate_latest(self._registry)
        together = Meters(others)
        for dump in (self.dump(), *dumps):
            together.add_dump(dump)
        return together.text()

    def dump(self) -> Dump:
        """Gives all values, for `add_dump` in another process."""
        self._read_watched()
        plain = {**self._counters, **self._gauges}
        dump: dict[str, list[tuple[Sequence[str], Any]]] = {
            name: list(series.items()) for name, series in plain.items()
        }
        for name, histogram in self._histograms.items():
            dump[name] = [(labels, (buckets.counts, buckets.sum)) for labels, buckets in histogram.items()]
        return dump

    def add_dump(self, dump: Dump) -> None:
        """Adds the values of another process."""
        for metric in METRICS:
            for names, value in dump[metric.name]:
                labels = tuple(names)
                if metric.kind == "histogram":
                    self._add_buckets(metric, labels, *value)
                elif metric.kind == "counter":
                    self.add(metric, value, *labels)
                else:
                    gauge = self._gauges[metric.name]
                    gauge[labels] = _TOGETHER[metric.together](gauge[labels], value) if labels in gauge else value

    def _buckets(self, metric: Metric, labels: Labels) -> Buckets:
        series = self._histograms[metric.name]
        if labels not in series:
            _check(metric, labels)
            series[labels] = Buckets([0] * (len(metric.bounds) + 1))
        return series[labels]

    def _add_buckets(self, metric: Metric, labels: Labels, counts: Sequence[int], total: float) -> None:
        buckets = self._buckets(metric, labels)
        buckets.counts = [old + new for old, new in zip(buckets.counts, counts, strict=True)]
        buckets.sum += total

    def _read_watched(self) -> None:
        for metric, read in self._watched:
            self.replace(metric, read())

    def _family(self, metric: Metric) -> Family:
        if metric.kind == "counter":
            counter = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in self._counters[metric.name].items():
                counter.add_metric(labels, value)
            return counter
        if metric.kind == "gauge":
            gauge = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in self._gauges[metric.name].items():
                gauge.add_metric(labels, value)
            return gauge
        histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for labels, buckets in self._histograms[metric.name].items():
            histogram.add_metric(labels, list(_cumulated(metric.bounds, buckets.counts)), buckets.sum)
        return histogram


def _names(kind: str) -> Iterator[str]:
    return (metric.name for metric in METRICS if metric.kind == kind)


def _check(metric: Metric, labels: Labels) -> None:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, got {labels}")


def _cumulated(bounds: Iterable[float], counts: Iterable[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, map(float, bounds)), "+Inf"), counts, strict=True):
        total += count
        yield bound, total
