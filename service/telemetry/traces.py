"""Traces: what is told, to whom, and whether at all. OpenTelemetry itself is loaded only where spans are exported."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from service.errors import SettingsError

# A step of a batch, and when it began and ended (of `time.monotonic`).
Lap: TypeAlias = tuple[str, float, float]

EXPORTER: Final = "OTEL_TRACES_EXPORTER"
DISABLED: Final = "OTEL_SDK_DISABLED"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP: Final = "http/protobuf"


class CommandSpan(NamedTuple):
    """A decided command whose sender records its trace.

    `own` is the id of the span that its events name as their parent, None where it is told already.
    """

    traceparent: str
    own: str | None
    topic: str
    partition: int
    offset: int
    id: str
    type: str
    outcome: str
    refusal: str | None


class Traces(Protocol):
    """Takes what has happened; it never waits, and never fails."""

    def batch(self, laps: Sequence[Lap], records: int, commands: Iterable[CommandSpan]) -> None:
        """A batch of so many records was committed."""

    def sent(self, began: float, topics: Mapping[str, int], traceparents: Iterable[str]) -> None:
        """Kafka has acknowledged records: how many of each topic, and the sampled traces among them."""

    async def close(self) -> None:
        """Export what is left, within seconds."""


def are_wanted(environment: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables ask for traces; raises SettingsError for what is not available."""
    wanted = environment.get(EXPORTER, "").strip() or "none"
    if wanted not in ("none", "otlp"):
        raise SettingsError(f"{EXPORTER}: expected otlp or none, not {wanted}; for example otlp")
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), HTTP)
    if wanted == "none" or environment.get(DISABLED, "").strip().lower() == "true":
        return False
    if protocol != HTTP:
        raise SettingsError(f"{PROTOCOLS[1]}: {protocol} is not available; for example {HTTP}")
    return True


def open_traces(environment: Mapping[str, str], prefix: str, group: str) -> Traces | None:
    """Gives what exports spans; None where nothing is exported, which is the default. Raises SettingsError."""
    if not are_wanted(environment):
        return None
    from service.telemetry.otlp import OtlpTraces  # noqa: PLC0415 - nobody pays for it who exports nothing

    return OtlpTraces.from_environment(prefix, group)
