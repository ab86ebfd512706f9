"""Every environment renders to objects in which no check finds a problem."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy import schemas
from tests.deploy.checks import CHECKS
from tests.deploy.rendered import ENVIRONMENTS, Check, Rendered, kustomize

_SERVED = {"Deployment": 3, "Job": 2, "ConfigMap": 1, "ServiceAccount": 1, "KafkaTopic": 8, "Cluster": 1}
_GUARDED = {
    "PodDisruptionBudget": 3,
    "NetworkPolicy": 9,
    "ScaledObject": 1,
    "TriggerAuthentication": 1,
    "ObjectStore": 1,
    "ScheduledBackup": 1,
    "KafkaUser": 5,
}
_WATCHED = {"PodMonitor": 1, "PrometheusRule": 2, "ConfigMap": 1}


def test_there_are_no_other_environments(deploy: Path) -> None:
    """A new overlay is not left unchecked."""
    assert sorted(each.name for each in (deploy / "overlays").iterdir()) == sorted(ENVIRONMENTS)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_holds_what_it_should(environment: Callable[[str], Rendered], name: str) -> None:
    """Nothing is lost on the way from base and components, so that no check looks at an empty list."""
    found = Counter(each["kind"] for each in environment(name).objects)
    assert found == Counter(_SERVED) + (Counter() if name == "local" else Counter(_GUARDED) + Counter(_WATCHED))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_check_finds_nothing(environment: Callable[[str], Rendered], name: str, check: Check) -> None:
    """The environment is as the check wants it."""
    assert check(environment(name)) == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_custom_objects_are_valid(
    environment: Callable[[str], Rendered], name: str, schemas_of_operators: Path
) -> None:
    """The operators would take their objects, unknown fields not among them."""
    assert schemas.custom(schemas_of_operators)(environment(name)) == []


@pytest.mark.parametrize("folder", ["app", "jobs", "kafka", "network", "postgres"])
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_step_renders_alone(deploy: Path, name: str, folder: str) -> None:
    """The steps of a rollout can be applied one after the other, each in its own namespace."""
    path = deploy / "overlays" / name / folder
    if name == "local" and folder == "network":
        assert not path.exists()
        return
    namespaces = {each["metadata"]["namespace"] for each in kustomize(path)}
    assert namespaces == {"kafka" if folder == "kafka" else "bookstream"}


def test_a_kustomization_with_a_mistake_does_not_render(tmp_path: Path) -> None:
    """What kubectl refuses is a failure, not an empty list."""
    (tmp_path / "kustomization.yaml").write_text("resources: [nowhere.yaml]\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"nowhere\.yaml"):
        kustomize(tmp_path)
