"""Checks of what schemas let pass: names, selectors, ports, references, resources, images, secrets."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from tests.deploy.rendered import Object, Rendered, called, pod_labels, pod_spec, selects

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS: Final = {
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGT", 1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)},
}
_PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")
_SECRET_NAME = re.compile(r"password|secret|token|credential|database_url|_key$", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"://[^/\s]*:[^/\s]*@|-----BEGIN")


def names(rendered: Rendered) -> list[str]:
    """Names are DNS labels, and label values are valid."""
    problems = []
    for thing in rendered.objects:
        words = [thing["metadata"]["name"], thing["metadata"].get("namespace", "")]
        if thing["kind"] in {"Deployment", "Job"}:
            words += [container["name"] for container in pod_spec(thing)["containers"]]
        problems += [f"{called(thing)}: {word!r} is no DNS label" for word in words if not _LABEL.fullmatch(word)]
        labels = thing["metadata"].get("labels", {})
        problems += [f"{called(thing)}: label {name}" for name, text in labels.items() if not _VALUE.fullmatch(text)]
    return problems


def selectors(rendered: Rendered) -> list[str]:
    """Each selector takes the pods that it is for, and no others."""
    problems = []
    for thing in rendered.all("Deployment"):
        taken = _taken(thing["spec"]["selector"], rendered)
        if taken != [called(thing)]:
            problems.append(f"{called(thing)}: selects {taken}")
        problems += [
            f"{called(thing)}: spread by labels that its pods do not have"
            for each in pod_spec(thing)["topologySpreadConstraints"]
            if not selects(each["labelSelector"], pod_labels(thing))
        ]
    for budget in rendered.all("PodDisruptionBudget"):
        taken = _taken(budget["spec"]["selector"], rendered)
        if taken != [f"Deployment {budget['metadata']['name']}"]:
            problems.append(f"{called(budget)}: selects {taken}")
    return problems


def _taken(selector: Object, rendered: Rendered) -> list[str]:
    return [called(each) for each in rendered.workloads() if selects(selector, pod_labels(each))]


def ports(rendered: Rendered) -> list[str]:
    """Ports are numbers that exist and have names; probes and Services name one that their pods have."""
    problems = []
    for label, container in rendered.containers():
        declared = container.get("ports", [])
        for port in declared:
            if not 1 <= port["containerPort"] <= 65_535:
                problems.append(f"{label}: there is no port {port['containerPort']}")
            if not _PORT_NAME.fullmatch(port.get("name", "")):
                problems.append(f"{label}: port {port['containerPort']} has no proper name")
        known = {port.get("name") for port in declared}
        problems += [
            f"{label}: {kind} asks a port that has no such name"
            for kind in _PROBES
            if kind in container and container[kind]["httpGet"]["port"] not in known
        ]
    for service in rendered.all("Service"):
        behind = [
            each
            for each in rendered.workloads()
            if selects({"matchLabels": service["spec"]["selector"]}, pod_labels(each))
        ]
        known = {port.get("name") for each in behind for port in pod_spec(each)["containers"][0].get("ports", [])}
        problems += [
            f"{called(service)}: leads to no port {port['targetPort']}"
            for port in service["spec"]["ports"]
            if port["targetPort"] not in known
        ]
    return problems


def probes(rendered: Rendered) -> list[str]:
    """What runs on has all three probes."""
    return [
        f"{called(thing)}: no {kind}"
        for thing in rendered.all("Deployment")
        for container in pod_spec(thing)["containers"]
        for kind in _PROBES
        if kind not in container
    ]


def references(rendered: Rendered) -> list[str]:
    """What an object of ours names exists: ConfigMaps, service accounts, targets, clusters, stores of backups."""
    present = {(each["kind"], each["metadata"]["name"]) for each in rendered.objects}
    return [f"{who}: there is no {kind} {name}" for who, kind, name in _named(rendered) if (kind, name) not in present]


def _named(rendered: Rendered) -> Iterator[tuple[str, str, str]]:
    for thing in rendered.workloads():
        yield called(thing), "ServiceAccount", pod_spec(thing)["serviceAccountName"]
    for label, container in rendered.containers():
        for source in container.get("envFrom", ()):
            yield label, "ConfigMap", source["configMapRef"]["name"]
    for thing in rendered.all("ScaledObject"):
        yield called(thing), thing["spec"]["scaleTargetRef"]["kind"], thing["spec"]["scaleTargetRef"]["name"]
    for thing in rendered.all("ScheduledBackup"):
        yield called(thing), "Cluster", thing["spec"]["cluster"]["name"]
    for thing in rendered.all("Cluster"):
        for plugin in thing["spec"].get("plugins", ()):
            yield called(thing), "ObjectStore", plugin["parameters"]["barmanObjectName"]


def resources(rendered: Rendered) -> list[str]:
    """Requests of CPU and memory and a limit of memory are set, are quantities, and no request is above its limit."""
    having = [*rendered.containers(), *((called(each), each["spec"]) for each in rendered.all("Cluster"))]
    problems = []
    for label, container in having:
        found: Any = container.get("resources", {})
        requests, limits = found.get("requests", {}), found.get("limits", {})
        for kind, amounts, name in (
            ("request", requests, "cpu"),
            ("request", requests, "memory"),
            ("limit", limits, "memory"),
        ):
            if name not in amounts:
                problems.append(f"{label}: no {kind} of {name}")
        sizes = {
            (kind, name): _size(str(text)) for kind, of in (("r", requests), ("l", limits)) for name, text in of.items()
        }
        problems += [f"{label}: {name} is no quantity" for (_, name), size in sizes.items() if size is None]
        for name in requests.keys() & limits.keys():
            request, limit = sizes["r", name], sizes["l", name]
            if request is not None and limit is not None and request > limit:
                problems.append(f"{label}: request of {name} is above its limit")
    return problems


def _size(text: str) -> Decimal | None:
    match = _QUANTITY.fullmatch(text)
    return None if match is None else Decimal(match[1]) * _UNITS.get(match[2] or "", Decimal(1))


def images(rendered: Rendered) -> list[str]:
    """One image for all, pinned by a digest or a tag that is not `latest`."""
    used = {container["image"] for _, container in rendered.containers()}
    problems = [] if len(used) == 1 else [f"more than one image: {sorted(used)}"]
    for image in sorted(used):
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and tag in {"", "latest"}:
            problems.append(f"image {image} may be another tomorrow")
    return problems


def secrets(rendered: Rendered) -> list[str]:
    """No secret is here, only names of Secrets."""
    problems = [f"{called(each)}: does not belong into git" for each in rendered.all("Secret")]
    for label, container in rendered.containers():
        problems += [
            f"{label}: {variable['name']} stands in plain text"
            for variable in container.get("env", ())
            if "value" in variable
            and (_SECRET_NAME.search(variable["name"]) or _SECRET_VALUE.search(variable["value"]))
        ]
    for thing in rendered.all("ConfigMap"):
        problems += [
            f"{called(thing)}: {key} is secret"
            for key, value in thing["data"].items()
            if _SECRET_NAME.search(key) or _SECRET_VALUE.search(value)
        ]
    return problems
