"""Mistakes in objects by themselves: for each check, what it has to say and how to make it say so."""

from collections.abc import Mapping
from typing import Final

from tests.deploy import pod_security, schemas, shape
from tests.deploy.rendered import Break, Check, add, drop, put, remove

WORKER: Final = ("Deployment", "bookstream-worker")
MIGRATE: Final = ("Job", "bookstream-migrate")
_POD: Final = "spec/template/spec"
_CONTAINER: Final = f"{_POD}/containers/0"
_CONTEXT: Final = f"{_CONTAINER}/securityContext"
_COMPONENT: Final = "app.kubernetes.io~1component"
_RESOURCES: Final = f"{_CONTAINER}/resources"
_SERVICE: Final = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "bookstream", "namespace": "bookstream"},
    "spec": {"selector": {"app.kubernetes.io/name": "bookstream"}, "ports": [{"port": 80, "targetPort": "metrics"}]},
}
_SECRET: Final = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "some", "namespace": "bookstream"}}
_STRANGER: Final = {"apiVersion": "example.org/v1", "kind": "Stranger", "metadata": {"name": "x", "namespace": "x"}}


def _container(name: str, value: object) -> Break:
    return put(*WORKER, f"{_CONTAINER}/{name}", value)


BREAKS: Final[Mapping[Check, list[tuple[str, Break]]]] = {
    schemas.core: [
        ("replcias", put(*WORKER, "spec/replcias", 2)),
        ("is not of type", put(*WORKER, "spec/minReadySeconds", "soon")),
        ("'selector' is a required property", drop(*WORKER, "spec/selector")),
        ("Couldn't find schema for kind Stranger", add(_STRANGER)),
    ],
    pod_security.restricted: [
        ("hostNetwork", put(*WORKER, f"{_POD}/hostNetwork", value=True)),
        ("hostPID", put(*MIGRATE, f"{_POD}/hostPID", value=True)),
        ("hostIPC", put(*WORKER, f"{_POD}/hostIPC", value=True)),
        ("volume of hostPath", put(*WORKER, f"{_POD}/volumes/0", {"name": "tmp", "hostPath": {"path": "/"}})),
        ("sysctl kernel.msgmax", put(*WORKER, f"{_POD}/securityContext/sysctls", [{"name": "kernel.msgmax"}])),
        ("runs as root", put(*WORKER, f"{_POD}/securityContext/runAsUser", 0)),
        ("runs as root", put(*WORKER, f"{_CONTEXT}/runAsUser", 0)),
        ("is not made to run as somebody else", drop(*WORKER, f"{_POD}/securityContext/runAsNonRoot")),
        ("is not made to run as somebody else", put(*WORKER, f"{_CONTEXT}/runAsNonRoot", value=False)),
        ("no seccomp profile", drop(*WORKER, f"{_POD}/securityContext/seccompProfile")),
        ("seccomp is off", put(*WORKER, f"{_CONTEXT}/seccompProfile", {"type": "Unconfined"})),
        ("AppArmor is off", put(*WORKER, f"{_CONTEXT}/appArmorProfile", {"type": "Unconfined"})),
        ("SELinux options", put(*WORKER, f"{_CONTEXT}/seLinuxOptions", {"type": "spc_t"})),
        ("hostProcess", put(*WORKER, f"{_CONTEXT}/windowsOptions", {"hostProcess": True})),
        ("privileged", put(*WORKER, f"{_CONTEXT}/privileged", value=True)),
        ("may gain privileges", drop(*WORKER, f"{_CONTEXT}/allowPrivilegeEscalation")),
        ("keeps capabilities", drop(*MIGRATE, f"{_CONTEXT}/capabilities")),
        ("adds capabilities", put(*WORKER, f"{_CONTEXT}/capabilities/add", ["NET_ADMIN"])),
        ("procMount", put(*WORKER, f"{_CONTEXT}/procMount", "Unmasked")),
        ("hostPort", put(*WORKER, f"{_CONTAINER}/ports/0/hostPort", 8080)),
        ("asks another host", put(*WORKER, f"{_CONTAINER}/livenessProbe/httpGet/host", "127.0.0.1")),
        ("may write to its root filesystem", put(*WORKER, f"{_CONTEXT}/readOnlyRootFilesystem", value=False)),
        ("holds a token", drop(*WORKER, f"{_POD}/automountServiceAccountToken")),
        ("gets variables of Services", drop(*WORKER, f"{_POD}/enableServiceLinks")),
        ("init: keeps capabilities", put(*WORKER, f"{_POD}/initContainers", [{"name": "init"}])),
    ],
    shape.names: [
        ("'Bookstream_worker' is no DNS label", put(*WORKER, "metadata/name", "Bookstream_worker")),
        ("is no DNS label", put(*MIGRATE, "metadata/name", "x" * 64)),
        ("'-x' is no DNS label", put(*WORKER, f"{_CONTAINER}/name", "-x")),
        ("label app.kubernetes.io/name", put(*WORKER, "metadata/labels/app.kubernetes.io~1name", "two words")),
    ],
    shape.selectors: [
        ("selects []", put(*WORKER, f"spec/template/metadata/labels/{_COMPONENT}", "wrker")),
        ("'Job bookstream-migrate'", drop(*WORKER, f"spec/selector/matchLabels/{_COMPONENT}")),
        (
            "spread by labels",
            put(*WORKER, f"{_POD}/topologySpreadConstraints/0/labelSelector/matchLabels/{_COMPONENT}", "relay"),
        ),
        (
            "PodDisruptionBudget bookstream-relay: selects ['Deployment bookstream-clock']",
            put("PodDisruptionBudget", "bookstream-relay", f"spec/selector/matchLabels/{_COMPONENT}", "clock"),
        ),
    ],
    shape.ports: [
        ("there is no port 99999", put(*WORKER, f"{_CONTAINER}/ports/0/containerPort", 99_999)),
        ("has no proper name", put(*WORKER, f"{_CONTAINER}/ports/0/name", "HTTP")),
        ("livenessProbe asks a port", put(*WORKER, f"{_CONTAINER}/livenessProbe/httpGet/port", "htpp")),
        ("readinessProbe asks a port", put(*WORKER, f"{_CONTAINER}/ports", [])),
        ("Service bookstream: leads to no port metrics", add(_SERVICE)),
    ],
    shape.probes: [
        (f"no {name}", drop(*WORKER, f"{_CONTAINER}/{name}"))
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    ],
    shape.references: [
        ("there is no ServiceAccount bookstream", remove("ServiceAccount", "bookstream")),
        (
            "there is no ConfigMap bookstream-settings",
            put("ConfigMap", "bookstream-settings", "metadata/name", "other"),
        ),
        (
            "there is no Deployment wrker",
            put("ScaledObject", "bookstream-worker", "spec/scaleTargetRef/name", "wrker"),
        ),
        ("there is no Cluster bookstream-postgres", remove("Cluster", "bookstream-postgres")),
        ("there is no ObjectStore bookstream-postgres", remove("ObjectStore", "bookstream-postgres")),
    ],
    shape.resources: [
        ("memory is no quantity", put(*WORKER, f"{_RESOURCES}/limits/memory", "10Q")),
        ("request of memory is above its limit", put(*WORKER, f"{_RESOURCES}/requests/memory", "1Gi")),
        ("request of cpu is above its limit", put(*WORKER, f"{_RESOURCES}/limits/cpu", "250m")),
        ("no limit of memory", drop(*WORKER, f"{_RESOURCES}/limits")),
        ("no request of cpu", drop(*MIGRATE, f"{_RESOURCES}/requests/cpu")),
        ("no request of memory", drop("Cluster", "bookstream-postgres", "spec/resources/requests")),
    ],
    shape.images: [
        ("may be another tomorrow", _container("image", "bookstream:latest")),
        ("may be another tomorrow", _container("image", "somewhere:5000/bookstream")),
        ("more than one image", _container("image", "bookstream:0.1.0")),
    ],
    shape.secrets: [
        ("Secret some: does not belong into git", add(_SECRET)),
        (
            "DATABASE_URL stands in plain text",
            _container("env/0", {"name": "DATABASE_URL", "value": "postgresql://a@b/c"}),
        ),
        ("X stands in plain text", _container("env/0", {"name": "X", "value": "postgresql://me:secret@host/db"})),
        ("API_KEY is secret", put("ConfigMap", "bookstream-settings", "data/API_KEY", "abc")),
        ("X is secret", put("ConfigMap", "bookstream-settings", "data/X", "kafka://me:secret@host")),
    ],
}
