"""Each check finds the mistakes that it is for."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import (
    breaks_of_agreement,
    breaks_of_monitoring,
    breaks_of_shape,
    breaks_of_transport,
    rendered,
    schemas,
)
from tests.deploy.checks import CHECKS
from tests.deploy.rendered import Break, Check, Rendered, drop, put

_ALL = {
    **breaks_of_shape.BREAKS,
    **breaks_of_agreement.BREAKS,
    **breaks_of_monitoring.BREAKS,
    **breaks_of_transport.BREAKS,
}
_RULE = "spec/groups/0/rules/0"


def _cases() -> Iterator[Any]:
    for check, breaks in _ALL.items():
        for number, (told, make) in enumerate(breaks, 1):
            yield pytest.param(check, told, make, id=f"{check.__name__}-{number}")


def test_each_check_is_broken() -> None:
    """No check is without a mistake that it finds."""
    assert {check.__name__ for check, breaks in _ALL.items() if breaks} == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize(("check", "told", "make"), list(_cases()))
def test_a_mistake_is_found(production: Rendered, check: Check, told: str, make: Break) -> None:
    """The check passes before the mistake, and names it afterwards."""
    assert check(production) == []
    make(production)
    assert any(told in problem for problem in check(production)), check(production)


@pytest.mark.parametrize(
    ("told", "make"),
    [
        ("partitons", put("KafkaTopic", "visit-events", "spec/partitons", 12)),
        ("is less than the minimum", put("KafkaTopic", "visit-events", "spec/partitions", 0)),
        ("'instances' is a required property", drop("Cluster", "bookstream-postgres", "spec/instances")),
        (
            "'quorum' is not one of",
            put("Cluster", "bookstream-postgres", "spec/postgresql/synchronous/method", "quorum"),
        ),
        ("'syncronous' was unexpected", put("Cluster", "bookstream-postgres", "spec/postgresql/syncronous", {})),
        ("'schedule' is a required property", drop("ScheduledBackup", "bookstream-postgres", "spec/schedule")),
        ("'bucket' was unexpected", put("ObjectStore", "bookstream-postgres", "spec/configuration/bucket", "x")),
        ("is not of type 'string'", put("ScaledObject", "bookstream-worker", "spec/triggers/0/metadata/topic", 1)),
        ("'replicas' was unexpected", put("ScaledObject", "bookstream-worker", "spec/replicas", 1)),
        ("'extra' was unexpected", put("KafkaTopic", "visit-events", "extra", {})),
        ("'endpoints' was unexpected", put("PodMonitor", "bookstream", "spec/endpoints", [])),
        ("is not of type 'string'", put("PodMonitor", "bookstream", "spec/podMetricsEndpoints/0/interval", 15)),
        ("does not match", put("PrometheusRule", "bookstream-alerts", "spec/groups/0/rules/0/for", "5 minutes")),
        ("'expression' was unexpected", put("PrometheusRule", "bookstream-alerts", f"{_RULE}/expression", "x")),
        ("'expr' is a required property", drop("PrometheusRule", "bookstream-alerts", f"{_RULE}/expr")),
        ("'other' was unexpected", put("TriggerAuthentication", "bookstream-kafka", "spec/other", [])),
        ("'group' was unexpected", put("KafkaUser", "bookstream-worker", "spec/authorization/group", "x")),
        ("no schema for keda.sh/v9", put("ScaledObject", "bookstream-worker", "apiVersion", "keda.sh/v9")),
    ],
)
def test_a_mistake_in_a_custom_object_is_found(
    production: Rendered, schemas_of_operators: Path, told: str, make: Break
) -> None:
    """The schemas are closed before they are used, so that unknown fields are mistakes too."""
    check = schemas.custom(schemas_of_operators)
    make(production)
    assert any(told in problem for problem in check(production)), check(production)


def test_jobs_and_workloads_must_agree(deploy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in two kustomizations of an environment is the same object."""
    kustomize: Callable[[Path], list[rendered.Object]] = rendered.kustomize

    def other_settings(folder: Path) -> list[rendered.Object]:
        objects = kustomize(folder)
        for each in objects:
            if folder.name == "jobs" and each["kind"] == "ConfigMap":
                each["data"]["BOOKSTREAM_GROUP_ID"] = "other"
        return objects

    monkeypatch.setattr(rendered, "kustomize", other_settings)
    with pytest.raises(ValueError, match=r"ConfigMap bookstream-settings-.* differs"):
        rendered.render(deploy, "local")
