"""What a soak is made of repeats with its seed, and its report can be read by all whom it is for."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from xml.etree import ElementTree as ET

import pytest

from tests.faults import timeline
from tests.faults.kinds.registry import all_kinds
from tests.faults.report import Report, Sample
from tests.faults.schedule import crowded_round, schedule
from tests.faults.traffic import ACCOUNTS, Mix, traffic
from tests.faults.trial import Trial


def test_a_schedule_is_the_same_for_the_same_seed() -> None:
    """Kinds, parameters and company; another seed makes another one."""

    def made(seed: int) -> list[list[str]]:
        return [[fault.told() for fault in step] for step in islice(schedule(seed, all_kinds()), 100)]

    assert made(1) == made(1) != made(2)


@pytest.mark.parametrize("seed", range(5))
def test_a_round_has_every_kind_once(seed: int) -> None:
    """Whether crowded or not, and nobody meets a fault of its own area."""
    steps = crowded_round(seed, most=4)
    assert sorted(fault.kind for step in steps for fault in step) == sorted(all_kinds())
    assert all(len({fault.area for fault in step}) == len(step) <= 4 for step in steps)
    kinds: list[str] = []
    for step in schedule(seed, all_kinds()):
        kinds += [fault.kind for fault in step]
        if len(kinds) >= len(all_kinds()):
            break
    assert set(kinds) == set(all_kinds())


def test_traffic_is_the_same_for_the_same_seed_and_has_all_sorts() -> None:
    """Both accounts, every topic, repeats, records that are no command, and new aggregates after some time."""
    mix = Mix(commands=500)
    now = datetime.now(UTC)
    first, again, other = (list(islice(traffic(seed, mix, lambda: now), 5_000)) for seed in (1, 1, 2))
    assert first == again != other
    assert {record.topic for record in first} == {"booking-commands", "visit-commands", "internal-commands"}
    assert all(any(account.encode() in (record.value or b"") for record in first) for account in ACCOUNTS)
    ids = [dict(record.headers).get("ce_id") for record in first]
    assert len(set(ids)) < len(ids)
    assert any(record.value == b"no JSON" for record in first)
    assert any((record.key or b"").startswith(b"m-1-") for record in first)


def _report() -> Report:
    alone = Trial("broker-killed", "broker-killed(node=1)", "kafka", 1.0, 4.0, 12.5, 2.0, None, 8.0)
    crowd = Trial("relay-killed", "relay-killed(<&>)", "relay", 6.0, 7.0, None, None, 3.0, 5.0, together=True)
    samples = [Sample(float(moment), moment * 100, moment * 40, {"worker": 80 << 20}) for moment in range(10)]
    return Report(7, seconds=20.0, acknowledged=900, commands=800, events=360, trials=[alone, crowd], samples=samples)


def test_a_report_is_told_as_text_as_json_and_as_a_picture() -> None:
    """Every fault is in each of them; one that took too long, and one that was never overcome, are pointed out."""
    report = _report()
    assert [trial.kind for trial in report.slow] == ["broker-killed"]
    assert "broker-killed(node=1): first event after 12.5 s, first timer after 2.0 s" in str(report)
    assert "verdict: no violation" in str(report)
    found = json.loads(report.as_json())
    assert [trial["kind"] for trial in found["trials"]] == ["broker-killed", "relay-killed"]
    picture = ET.fromstring(timeline.draw(report))  # noqa: S314 - the text is our own
    titles = [title.text or "" for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert [title.partition(":")[0] for title in titles] == ["relay-killed(<&>)", "broker-killed(node=1)"]


def test_a_fault_that_did_not_come_about_is_told() -> None:
    """It stands above the table, with what kept it."""
    report = _report()
    kept = replace(report.trials[0], told="broker-killed(node=1) did not come about: TimeoutError()")
    assert (kept.came_about, report.trials[0].came_about) == (False, True)
    report.trials[0] = kept
    assert f"\n{kept.told}\n" in str(report)


def test_a_violation_is_the_verdict() -> None:
    """However well everything else went."""
    report = _report()
    report.wrong = ["lost: a command"]
    assert "verdict: 1 violations\nlost: a command" in str(report)
