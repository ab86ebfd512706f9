"""Checks that the network policies let through what is needed and nothing else."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.deploy.agreement import NEEDS_KAFKA, NEEDS_POSTGRES, bootstrap, read, role
from tests.deploy.rendered import Object, Rendered, called, pod_labels, selects

POSTGRES_PORT: Final = 5432
_NAMESPACE: Final = "kubernetes.io/metadata.name"


class Way(NamedTuple):
    """Namespace, pod labels and port of a peer."""

    namespace: str
    labels: frozenset[tuple[str, str]]
    port: int


def default_deny(rendered: Rendered) -> list[str]:
    """Where there are policies, the namespace of the service is closed both ways, and no other one opens it again."""
    policies = rendered.all("NetworkPolicy")
    if not policies:
        return []
    closed = [
        each["metadata"]["namespace"]
        for each in policies
        if each["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ]
    places = {each["metadata"]["namespace"] for each in rendered.all("Deployment", "Job", "Cluster")}
    problems = [f"namespace {each} is open" for each in sorted(places) if each not in closed]
    for policy in policies:
        rules = policy["spec"].get("egress", []) + policy["spec"].get("ingress", [])
        if any(not rule.get("ports") for rule in rules):
            problems.append(f"{called(policy)}: opens every port")
    return problems


def ways_out(rendered: Rendered) -> list[str]:
    """Each workload reaches PostgreSQL and Kafka on their ports if it needs them, and only then."""
    if not rendered.all("NetworkPolicy"):
        return []
    kafka = bootstrap(rendered)
    (cluster,) = rendered.all("Cluster")
    place, name = cluster["metadata"]["namespace"], cluster["metadata"]["name"]
    to_postgres = Way(place, frozenset({("cnpg.io/cluster", name)}), POSTGRES_PORT)
    brokers = {"strimzi.io/cluster": kafka["cluster"], "strimzi.io/name": f"{kafka['cluster']}-kafka"}
    to_kafka = Way(kafka["namespace"], frozenset(brokers.items()), int(kafka["port"]))
    to_dns = Way("kube-system", frozenset({("k8s-app", "kube-dns")}), 53)
    problems = []
    for thing in rendered.workloads():
        needed = {to_dns}
        needed |= {to_postgres} if role(thing) in NEEDS_POSTGRES else set()
        needed |= {to_kafka} if role(thing) in NEEDS_KAFKA else set()
        found = set(_ways(rendered, thing, "egress", "to"))
        problems += [f"{called(thing)}: has no way to {way}" for way in needed - found]
        problems += [f"{called(thing)}: has no need of a way to {way}" for way in found - needed]
    return problems


def _ways(rendered: Rendered, thing: Object, direction: str, peers: str) -> Iterator[Way]:
    """All that a workload may reach (`egress`, `to`), or that may reach it (`ingress`, `from`)."""
    home = thing["metadata"]["namespace"]
    for policy in rendered.all("NetworkPolicy"):
        spec = policy["spec"]
        if policy["metadata"]["namespace"] != home or not selects(spec["podSelector"], pod_labels(thing)):
            continue
        for rule in spec.get(direction, ()):
            for peer in rule.get(peers, [{}]):
                space = peer.get("namespaceSelector", {}).get("matchLabels", {}).get(_NAMESPACE, home)
                labels = frozenset(peer.get("podSelector", {}).get("matchLabels", {}).items())
                yield from (Way(space, labels, port) for port in _ports(rule))


def ways_in(rendered: Rendered) -> list[str]:
    """Prometheus alone reaches the port that metrics are served at, of whatever runs on; the jobs let nobody in."""
    if not rendered.all("NetworkPolicy"):
        return []
    scraper = Way("monitoring", frozenset({("app.kubernetes.io/name", "prometheus")}), read(rendered).http_port)
    problems = []
    for thing in rendered.workloads():
        found = set(_ways(rendered, thing, "ingress", "from"))
        if found != ({scraper} if thing["kind"] == "Deployment" else set()):
            problems.append(f"{called(thing)}: lets in {sorted(found)}")
    return problems


def ways_into_postgres(rendered: Rendered) -> list[str]:
    """PostgreSQL lets in who needs it, its operator and its own instances."""
    if not rendered.all("NetworkPolicy"):
        return []
    (cluster,) = rendered.all("Cluster")
    own = {"cnpg.io/cluster": cluster["metadata"]["name"]}
    rules = [
        rule
        for policy in rendered.all("NetworkPolicy")
        if policy["spec"]["podSelector"] and selects(policy["spec"]["podSelector"], own)
        for rule in policy["spec"].get("ingress", ())
    ]
    problems = []
    for thing in rendered.workloads():
        let_in = {port for rule in rules if _takes(rule, pod_labels(thing)) for port in _ports(rule)}
        right = {POSTGRES_PORT} if role(thing) in NEEDS_POSTGRES else set()
        if let_in != right:
            problems.append(f"{called(cluster)}: lets {called(thing)} in at {sorted(let_in)}")
    for port in (POSTGRES_PORT, 8000):
        if not any(port in _ports(rule) and _takes(rule, own) for rule in rules):
            problems.append(f"{called(cluster)}: its instances do not reach each other at {port}")
        if not any(port in _ports(rule) and _from_operator(rule) for rule in rules):
            problems.append(f"{called(cluster)}: its operator does not reach it at {port}")
    return problems


def _ports(rule: Object) -> set[int]:
    return {port["port"] for port in rule.get("ports", ())}


def _takes(rule: Object, labels: dict[str, str]) -> bool:
    """Whether pods of the same namespace may come in by a rule."""
    peers = rule.get("from", [{"podSelector": {}}])
    return any(selects(peer["podSelector"], labels) for peer in peers if "namespaceSelector" not in peer)


def _from_operator(rule: Object) -> bool:
    return any(
        peer.get("namespaceSelector", {}).get("matchLabels", {}).get(_NAMESPACE) == "cnpg-system"
        for peer in rule.get("from", ())
    )
