"""What an overlay renders to, and ways to look at it and to break it."""

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ENVIRONMENTS: Final = ("local", "staging", "production")
WORKLOADS: Final = ("Deployment", "Job")
COMPONENT: Final = "app.kubernetes.io/component"

Object = dict[str, Any]
Break = Callable[["Rendered"], None]
Check = Callable[["Rendered"], list[str]]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of an environment; those that two of its kustomizations share stand here once."""

    objects: list[Object]

    def all(self, *kinds: str) -> list[Object]:
        """Those of some kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """That of a kind whose name is, or but for a hash begins with, the one given."""
        found = [each for each in self.all(kind) if (each["metadata"]["name"] + "-").startswith(f"{name}-")]
        (only,) = [each for each in found if each["metadata"]["name"] == name] or found
        return only

    def workloads(self) -> list[Object]:
        """What makes pods of the service."""
        return self.all(*WORKLOADS)

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Each container, and how to call it."""
        for workload in self.workloads():
            spec = pod_spec(workload)
            for container in (*spec.get("initContainers", ()), *spec["containers"]):
                yield f"{called(workload)}, container {container['name']}", container

    def settings(self) -> dict[str, str]:
        """Data of the ConfigMap with the settings."""
        data: dict[str, str] = self.one("ConfigMap", "bookstream-settings")["data"]
        return data

    def copy(self) -> "Rendered":
        """One that may be broken."""
        return Rendered(copy.deepcopy(self.objects))


def called(thing: Object) -> str:
    """Kind and name."""
    return f"{thing['kind']} {thing['metadata']['name']}"


def pod_spec(workload: Object) -> Object:
    """Spec of the pods that a workload makes."""
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def pod_labels(workload: Object) -> dict[str, str]:
    """Labels of the pods that a workload makes."""
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels; only what is used here is known of expressions."""
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", ())
    )


def kustomize(folder: Path) -> list[Object]:
    """Render a kustomization; RuntimeError with kubectl's words where that fails."""
    kubectl = Path(sys.executable).parent / "kubectl"
    run = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, check=False, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    return list(yaml.safe_load_all(run.stdout))


def render(deploy: Path, environment: str) -> Rendered:
    """Render an overlay and the jobs that go before it; ValueError where they disagree about an object."""
    folder = deploy / "overlays" / environment
    objects: list[Object] = []
    seen: dict[tuple[str, str, str], Object] = {}
    for each in (*kustomize(folder), *kustomize(folder / "jobs")):
        key = each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]
        if key not in seen:
            objects.append(each)
        elif seen[key] != each:
            raise ValueError(f"{called(each)} differs between the jobs and the rest of {environment}")
        seen[key] = each
    return Rendered(objects)


def put(kind: str, name: str, pointer: str, value: object) -> Break:
    """Set what a JSON pointer leads to, in one object."""

    def apply(rendered: Rendered) -> None:
        place, last = _follow(rendered.one(kind, name), pointer)
        place[last] = value

    return apply


def drop(kind: str, name: str, pointer: str) -> Break:
    """Remove what a JSON pointer leads to, from one object."""

    def apply(rendered: Rendered) -> None:
        place, last = _follow(rendered.one(kind, name), pointer)
        del place[last]

    return apply


def add(thing: Object) -> Break:
    """Add an object."""
    return lambda rendered: rendered.objects.append(copy.deepcopy(thing))


def remove(kind: str, name: str) -> Break:
    """Leave an object out."""
    return lambda rendered: rendered.objects.remove(rendered.one(kind, name))


def _follow(thing: Any, pointer: str) -> tuple[Any, Any]:
    *way, last = (step.replace("~1", "/") for step in pointer.split("/"))
    for step in way:
        thing = thing[int(step)] if isinstance(thing, list) else thing.setdefault(step, {})
    return thing, int(last) if isinstance(thing, list) else last
