"""Metrics are declared once, by the conventions of Prometheus, and everybody uses the declarations."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import parts
from service.telemetry import document, names
from service.telemetry.metric import Metric
from service.telemetry.names import METRICS

NAME = re.compile(r"\bbookstream_[a-z][a-z_]+\b")
LABEL = re.compile(r"[a-z][a-z_]*\Z")
SUFFIXES = ("_bucket", "_count", "_sum")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_conventions(metric: Metric) -> None:
    """Counters end in `_total`, seconds in `_seconds`; labels are plain words, and none is called as a bucket's."""
    assert NAME.fullmatch(metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert ("_seconds" in metric.name) == (metric.unit == "seconds")
    assert all(LABEL.match(label) and label not in ("le", "quantile") for label in metric.labels)
    assert bool(metric.bounds) == (metric.kind == "histogram")
    assert list(metric.bounds) == sorted(set(metric.bounds))
    assert "|" not in metric.meaning
    assert not metric.name.endswith(SUFFIXES)


def test_every_declaration_is_listed_once() -> None:
    """What is declared is in `METRICS`, and no name twice."""
    declared = [value for value in vars(names).values() if isinstance(value, Metric)]
    assert list(METRICS) == declared
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_every_declaration_is_used(project_root: Path) -> None:
    """Somebody outside counts or sets each of them."""
    code = "\n".join(path.read_text() for path in (project_root / "service").rglob("*.py") if path.name != "names.py")
    constants = {name for name, value in vars(names).items() if isinstance(value, Metric)}
    assert {name for name in constants if not re.search(rf"\b{name}\b", code)} == set()


def test_names_in_texts_are_declared(project_root: Path) -> None:
    """No text of the repository speaks of a metric that there is not."""
    # The second is a role in PostgreSQL.
    known = {metric.name for metric in METRICS} | {"bookstream_run"}
    unknown = {
        f"{path.relative_to(project_root)}: {name}" for path, name in _named(project_root) if _base(name) not in known
    }
    assert unknown == set()


def test_the_readme_is_up_to_date() -> None:
    """After a change: `python -m service.telemetry.document`."""
    assert document.README.read_text(encoding="utf-8") == document.document()


def test_the_limits_that_the_readme_tells() -> None:
    """They are those that the probes judge by."""
    text = document.document()
    assert f"not gone round for {parts.STUCK_SECONDS:.0f} s" in text
    assert f"no session with PostgreSQL for {parts.SILENT_SECONDS:.0f} s" in text
    assert f"asked every {parts.ASK_EVERY:.0f} s, with {parts.ASK_WITHIN:.0f} s to answer" in text


def _named(root: Path) -> Iterator[tuple[Path, str]]:
    for folder in ("service", "deploy", "docs"):
        for path in (root / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".yaml", ".yml", ".json", ".toml"):
                for name in NAME.findall(path.read_text(encoding="utf-8")):
                    yield path, name


def _base(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name
