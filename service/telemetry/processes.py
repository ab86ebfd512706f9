"""What processes use of the machine: processor time, memory, open files."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

OF_THE_FIRST: Final = frozenset({"process_start_time_seconds", "process_max_fds"})


class Processes(Collector):
    """The usual `process_*` figures of this process and others together."""

    def __init__(self, others: Sequence[int]) -> None:
        """`others` are process ids."""
        self._collectors = [ProcessCollector(registry=None)]
        self._collectors += [ProcessCollector(pid=partial(int, pid), registry=None) for pid in others]

    def collect(self) -> Iterator[Family]:
        """Gives prometheus_client what the system says now."""
        first, *rest = ([*collector.collect()] for collector in self._collectors)
        for family in first:
            if family.name not in OF_THE_FIRST:
                more = [s.value for other in rest for each in other if each.name == family.name for s in each.samples]
                family.samples = [sample._replace(value=sample.value + sum(more)) for sample in family.samples]
            yield family
