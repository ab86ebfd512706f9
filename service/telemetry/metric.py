"""What is declared of a metric, and the bounds that histograms share."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]
Together = Literal["sum", "max", "min"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as operators see it; `shown_by` are the roles whose processes have it.

    `together` is what a gauge says of several processes that are asked as one.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    shown_by: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    together: Together = "sum"


# Bounds of histograms: records of a batch, seconds within a batch, seconds of waiting.
SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 2_500)
SHORT_TIMES: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
LONG_TIMES: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200)
