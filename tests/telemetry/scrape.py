"""Reading metrics as Prometheus does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from service.telemetry.metric import Metric
from tests.e2e.process import Service
from tests.support.wait import until

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scrape:
    """All samples of one scrape."""

    samples: dict[tuple[str, Labels], float]
    kinds: dict[str, str]

    def value(self, metric: Metric, **labels: str) -> float:
        """The sum over the series with these labels; of a histogram, its number of observations."""
        name = f"{metric.name}_count" if metric.kind == "histogram" else metric.name
        wanted = labels.items()
        return sum(
            value for (found, have), value in self.samples.items() if found == name and wanted <= dict(have).items()
        )

    def has(self, metric: Metric) -> bool:
        """Whether there is any sample of it."""
        name = f"{metric.name}_count" if metric.kind == "histogram" else metric.name
        return any(found == name for found, _ in self.samples)


def parse(text: str) -> Scrape:
    """Reads Prometheus' text format."""
    samples: dict[tuple[str, Labels], float] = {}
    kinds: dict[str, str] = {}
    for family in text_string_to_metric_families(text):
        kinds[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, f"{key} stands there twice"
            samples[key] = sample.value
    return Scrape(samples, kinds)


async def scrape(service: Service) -> Scrape:
    """Asks a process for its metrics."""
    status, text = await asyncio.to_thread(service.get, "/metrics")
    assert status == 200
    return parse(text)


async def scrape_until(service: Service, condition: Callable[[Scrape], bool], deadline: float = 30.0) -> Scrape:
    """Asks until the metrics are as wanted."""
    found: list[Scrape] = []

    async def fits() -> bool:
        found[:] = [await scrape(service)]
        return condition(found[0])

    await until(fits, deadline)
    return found[0]
