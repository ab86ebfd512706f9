"""Pod Security Standards, profile "restricted", and three habits of ours, as a check of pod specs."""

from collections.abc import Iterator
from typing import Final

from tests.deploy.rendered import Object, Rendered, called, pod_spec

_VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_syncookies",
    }
)
_SELINUX: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_HANDLERS: Final = ("startupProbe", "livenessProbe", "readinessProbe")


def restricted(rendered: Rendered) -> list[str]:
    """Every pod would be admitted to a namespace that enforces "restricted", writes nowhere and holds no token."""
    problems = []
    for thing in rendered.workloads():
        spec = pod_spec(thing)
        problems += [f"{called(thing)}: {problem}" for problem in _of_pod(spec)]
        for container in (*spec.get("initContainers", ()), *spec.get("ephemeralContainers", ()), *spec["containers"]):
            problems += [f"{called(thing)}, {container['name']}: {each}" for each in _of_container(container, spec)]
    return problems


def _of_pod(spec: Object) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield name
    for volume in spec.get("volumes", ()):
        if kinds := volume.keys() - {"name"} - _VOLUMES:
            yield f"volume of {', '.join(kinds)}"
    for sysctl in spec.get("securityContext", {}).get("sysctls", ()):
        if sysctl["name"] not in _SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    yield from _of_both(spec.get("securityContext", {}))
    if spec.get("automountServiceAccountToken") is not False:
        yield "holds a token of its service account"
    if spec.get("enableServiceLinks") is not False:
        yield "gets variables of Services"


def _of_both(context: Object) -> Iterator[str]:
    """Fields that a pod and a container may each set."""
    if context.get("runAsUser") == 0:
        yield "runs as root"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "hostProcess"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in _SELINUX or selinux.keys() & {"user", "role"}:
        yield "SELinux options"
    if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") == "Unconfined":
        yield "AppArmor is off"
    if context.get("seccompProfile", {}).get("type", "RuntimeDefault") == "Unconfined":
        yield "seccomp is off"


def _of_container(container: Object, spec: Object) -> Iterator[str]:
    context = container.get("securityContext", {})
    effective = {**spec.get("securityContext", {}), **context}
    yield from _of_both(context)
    if context.get("privileged"):
        yield "privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if effective.get("runAsNonRoot") is not True:
        yield "is not made to run as somebody else than root"
    if effective.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "no seccomp profile"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield "keeps capabilities"
    if set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    yield from _of_surroundings(container, context)


def _of_surroundings(container: Object, context: Object) -> Iterator[str]:
    """What of its surroundings a container takes hold of."""
    if context.get("procMount", "Default") != "Default":
        yield "procMount"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "hostPort"
    actions = [container.get(name, {}) for name in _HANDLERS] + list(container.get("lifecycle", {}).values())
    if any("host" in action.get(kind, {}) for action in actions for kind in ("httpGet", "tcpSocket")):
        yield "a probe or hook asks another host"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root filesystem"
