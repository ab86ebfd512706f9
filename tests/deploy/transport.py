"""Checks of what goes over the network: encrypted, servers verified, and each client known by a name of its own."""

from collections.abc import Iterator
from typing import Final

from tests.deploy.agreement import NEEDS_KAFKA, NEEDS_POSTGRES, OF_POSTGRES, bootstrap, read, role
from tests.deploy.rendered import Object, Rendered, called, pod_spec

CA: Final = "ca.crt"

# Where a file comes from: the name of a Secret, and a key of it.
Source = tuple[str, str]


def certificates(rendered: Rendered) -> list[str]:
    """Who speaks to a server has the files to verify it and to be known by, at the places that the settings name."""
    values = read(rendered)
    problems = []
    if rendered.all("NetworkPolicy") and not values.kafka_is_encrypted:
        problems.append("Kafka is reached in the clear")
    for thing in rendered.workloads():
        should = dict(_wanted(rendered, thing))
        found = _files(thing)
        problems += [f"{called(thing)}: {path} is {found.get(path)}, not {source}" for path, source in should.items()
                     if found.get(path) != source]  # fmt: skip
        problems += [f"{called(thing)}: has no need of {path}" for path in found.keys() - should.keys()]
    return problems


def postgres(rendered: Rendered) -> list[str]:
    """Where the network is not trusted, PostgreSQL has to prove who it is."""
    problems = []
    for thing in rendered.workloads() if rendered.all("NetworkPolicy") else []:
        found = tuple(_variables(thing).get(name) for name in sorted(OF_POSTGRES))
        should = ("verify-full", f"/etc/postgres/{CA}") if role(thing) in NEEDS_POSTGRES else (None, None)
        if found != should:
            problems.append(f"{called(thing)}: {sorted(OF_POSTGRES)} are {found}, not {should}")
    return problems


def users(rendered: Rendered) -> list[str]:
    """Each client of Kafka, the autoscaler too, has a KafkaUser with a certificate on the cluster that it reaches."""
    if not read(rendered).kafka_is_encrypted:
        return [f"{called(each)}: nobody could be known by it" for each in rendered.all("KafkaUser")]
    at = bootstrap(rendered)
    found = {each["metadata"]["name"]: each for each in rendered.all("KafkaUser")}
    needed = {thing["metadata"]["name"] for thing in rendered.workloads() if role(thing) in NEEDS_KAFKA}
    for thing in rendered.all("TriggerAuthentication"):
        needed |= {ref["name"] for ref in thing["spec"]["secretTargetRef"] if ref["key"] != CA}
    problems = [f"KafkaUser {name}: is missing" for name in sorted(needed - found.keys())]
    for thing in found.values():
        place = thing["metadata"]["labels"].get("strimzi.io/cluster"), thing["metadata"]["namespace"]
        if place != (at["cluster"], at["namespace"]):
            problems.append(f"{called(thing)}: is for {place}")
        if thing["spec"].get("authentication", {}).get("type") != "tls":
            problems.append(f"{called(thing)}: has no certificate")
    return problems


def autoscaler(rendered: Rendered) -> list[str]:
    """It asks Kafka as the service does: encrypted, and by a certificate."""
    cluster = bootstrap(rendered)["cluster"]
    known = {each["metadata"]["name"] for each in rendered.all("TriggerAuthentication")}
    problems = []
    for thing in rendered.all("ScaledObject"):
        triggers = thing["spec"]["triggers"]
        if any(each["metadata"].get("tls") != "enable" for each in triggers):
            problems.append(f"{called(thing)}: asks Kafka in the clear")
        names = {each.get("authenticationRef", {}).get("name") for each in triggers}
        problems += [f"{called(thing)}: there is no TriggerAuthentication {name}" for name in names - known]
    for thing in rendered.all("TriggerAuthentication"):
        problems += _authentication(thing, cluster)
    return problems


def _authentication(thing: Object, cluster: str) -> list[str]:
    found = {ref["parameter"]: (ref["name"], ref["key"]) for ref in thing["spec"]["secretTargetRef"]}
    user = found.get("cert", ("", ""))[0]
    should = {"ca": (f"{cluster}-cluster-ca-cert", CA), "cert": (user, "user.crt"), "key": (user, "user.key")}
    return [] if found == should else [f"{called(thing)}: takes {found}"]


def _wanted(rendered: Rendered, thing: Object) -> Iterator[tuple[str, Source]]:
    values, name = read(rendered), thing["metadata"]["name"]
    if values.kafka_is_encrypted and role(thing) in NEEDS_KAFKA:
        yield values.kafka_security_ssl_ca_file, (f"{bootstrap(rendered)['cluster']}-cluster-ca-cert", CA)
        yield values.kafka_security_ssl_certificate_file, (name, "user.crt")
        yield values.kafka_security_ssl_key_file, (name, "user.key")
    if root := _variables(thing).get("PGSSLROOTCERT"):
        yield root, (f"{rendered.all('Cluster')[0]['metadata']['name']}-ca", CA)


def _variables(thing: Object) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in pod_spec(thing)["containers"][0].get("env", ())}


def _files(thing: Object) -> dict[str, Source]:
    """Every file that comes from a Secret, by its path in the container."""
    spec = pod_spec(thing)
    found: dict[str, Source] = {}
    mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0].get("volumeMounts", ())}
    for volume in spec.get("volumes", ()):
        one = volume.get("secret")
        sources = [(one["secretName"], one["items"])] if one else []
        sources += [
            (each["secret"]["name"], each["secret"]["items"]) for each in volume.get("projected", {}).get("sources", ())
        ]
        for name, items in sources:
            found |= {f"{mounts.get(volume['name'])}/{item['path']}": (name, item["key"]) for item in items}
    return found
