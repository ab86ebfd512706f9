import pytest

from service.telemetry import names
from service.telemetry.meters import Meters
from service.telemetry.names import METRICS
from tests.telemetry.scrape import parse


def test_counters_add_up() -> None:
    """Series are apart by their labels."""
    meters = Meters()
    meters.add(names.EVENTS, 2, "booking-changed")
    meters.add(names.EVENTS, 3, "booking-changed")
    meters.add(names.EVENTS, 1, "visit-changed")
    found = parse(meters.text().decode())
    assert found.value(names.EVENTS, type="booking-changed") == 5
    assert found.value(names.EVENTS) == 6


def test_expected_series_begin_at_zero() -> None:
    """A first increase is only seen as one where there was a value before."""
    meters = Meters()
    meters.expect(names.DEAD_LETTERS, [("invalid_json",)])
    meters.expect(names.BATCH_SIZE)
    found = parse(meters.text().decode())
    assert found.has(names.DEAD_LETTERS)
    assert found.value(names.DEAD_LETTERS) == 0
    assert found.has(names.BATCH_SIZE)


def test_buckets_are_cumulative() -> None:
    """An observation on a bound belongs to the bucket of that bound."""
    meters = Meters()
    meters.observe(names.BATCH_SIZE, (1, 1.5, 2, 1_000, 1_001))
    samples = parse(meters.text().decode()).samples
    buckets = {dict(labels)["le"]: value for (name, labels), value in samples.items() if name.endswith("size_bucket")}
    assert buckets["1.0"] == 1
    assert buckets["2.0"] == 3
    assert buckets["1000.0"] == 4
    assert buckets["+Inf"] == 5
    assert samples["bookstream_batch_size_sum", ()] == 2_005.5


def test_gauges_forget_what_is_gone() -> None:
    """A partition that went to somebody else leaves no number behind."""
    meters = Meters()
    meters.replace(names.LAG_RECORDS, {("booking-commands", "0"): 7, ("booking-commands", "1"): 1})
    meters.replace(names.LAG_RECORDS, {("booking-commands", "1"): 2})
    found = parse(meters.text().decode())
    assert found.value(names.LAG_RECORDS) == 2


def test_watched_gauges_are_read_when_asked() -> None:
    """They are as new as the answer."""
    meters, owner = Meters(), [False]
    meters.watch(names.RELAY_OWNER, lambda: {(): owner[0]})
    assert parse(meters.text().decode()).value(names.RELAY_OWNER) == 0
    owner[0] = True
    assert parse(meters.text().decode()).value(names.RELAY_OWNER) == 1


def test_labels_must_be_those_declared() -> None:
    """Too few or too many fail where they are used, not in Prometheus."""
    meters = Meters()
    for labels in ((), ("a", "b")):
        with pytest.raises(ValueError, match="bookstream_events_total"):
            meters.add(names.EVENTS, 1, *labels)
    with pytest.raises(ValueError, match="bookstream_relay_owner"):
        meters.replace(names.RELAY_OWNER, {("x",): 1})


def test_a_metric_of_another_kind_is_no_counter() -> None:
    """A gauge can't be added to."""
    with pytest.raises(KeyError):
        Meters().add(names.RELAY_OWNER, 1)


def test_hostile_label_values_stay_in_their_place() -> None:
    """Quotes and line breaks are escaped."""
    meters = Meters()
    meters.add(names.EVENTS, 1, 'x"} 9\nbookstream_relay_owner 5')
    found = parse(meters.text().decode())
    assert not found.has(names.RELAY_OWNER)
    assert found.value(names.EVENTS) == 1


def test_kinds_and_meanings_are_told() -> None:
    """The text says what each metric is."""
    meters = Meters()
    for metric in METRICS:
        labels = tuple("x" for _ in metric.labels)
        if metric.kind == "gauge":
            meters.replace(metric, {labels: 1})
        else:
            meters.expect(metric, [labels])
    kinds = parse(meters.text().decode()).kinds
    assert {metric.name: metric.kind for metric in METRICS} == {
        metric.name: kinds.get(metric.name.removesuffix("_total")) for metric in METRICS
    }
    assert "process_cpu_seconds" in kinds
