"""Checks that the objects and the code of the service agree."""

import inspect
import os
import re
from typing import Any, Final
from unittest import mock

from opentelemetry import environment_variables as api
from opentelemetry.sdk import environment_variables

from service import app, crew
from service.cli.main import COMMANDS
from service.consume import broker
from service.errors import SettingsError
from service.settings import Settings
from service.store import pool
from service.telemetry import traces
from service.topics import CONSUMED_TOPICS, wanted
from tests.deploy.rendered import COMPONENT, Object, Rendered, called, pod_labels, pod_spec

DATABASE_URL: Final = "BOOKSTREAM_DATABASE_URL"
VARIABLES: Final = frozenset(f"BOOKSTREAM_{name.upper()}" for name in Settings.model_fields)
# What a Secret would hold, where users came by password.
PASSWORDS: Final = frozenset(f"BOOKSTREAM_KAFKA_SECURITY_{name}" for name in ("SASL_PASSWORD", "SSL_KEY_PASSWORD"))
ENCRYPTION_KEYS: Final = "BOOKSTREAM_ENCRYPTION_KEYS"
# Secrets hold the others, and the last has no value that means none.
NOT_IN_THE_MAP: Final = PASSWORDS | {DATABASE_URL, ENCRYPTION_KEYS, "BOOKSTREAM_GRAPHS_DIR"}
NEEDS_KEYS: Final = frozenset({"worker", "migrate"})
# PostgreSQL's own, which asyncpg reads by itself.
OF_POSTGRES: Final = frozenset({"PGSSLMODE", "PGSSLROOTCERT"})
# OpenTelemetry's own, which its SDK reads by itself.
OF_TRACES: Final = frozenset(
    name for known in (api, environment_variables) for name in vars(known) if name.startswith("OTEL_")
)
NEEDS_POSTGRES: Final = frozenset({"worker", "relay", "clock", "migrate"})
NEEDS_KAFKA: Final = frozenset({"worker", "relay", "topics-check"})
_BOOTSTRAP: Final = re.compile(r"(?P<cluster>[a-z0-9-]+)-kafka-bootstrap\.(?P<namespace>[a-z0-9-]+)\.svc:(?P<port>\d+)")
# Of the operator, the jobs, and of whoever looks at the database by hand.
_SPARE_CONNECTIONS: Final = 20
_SESSIONS_OF_A_LOOP: Final = 2


def read(rendered: Rendered) -> Settings:
    """The settings as the service reads them."""
    with mock.patch.dict(os.environ, rendered.settings(), clear=True):
        return Settings()


def bootstrap(rendered: Rendered) -> dict[str, str]:
    """Cluster, namespace and port in the address of Kafka."""
    match = _BOOTSTRAP.fullmatch(read(rendered).kafka_bootstrap)
    return {} if match is None else match.groupdict()


def role(workload: Object) -> str:
    """What the pods of a workload are for."""
    return pod_labels(workload)[COMPONENT]


def settings(rendered: Rendered) -> list[str]:
    """The ConfigMap has each setting of the service and nothing else, with values that the service takes."""
    found = set(rendered.settings())
    problems = [f"{name}: no such setting" for name in sorted(found - VARIABLES - OF_TRACES)]
    problems += [f"{name}: belongs elsewhere" for name in sorted(found & NOT_IN_THE_MAP)]
    problems += [f"{name}: is missing" for name in sorted((VARIABLES | {traces.EXPORTER}) - NOT_IN_THE_MAP - found)]
    try:
        values = read(rendered)
        traces.are_wanted(rendered.settings())
    except (ValueError, SettingsError) as error:
        return [*problems, f"the service would not start: {error}"]
    problems += [f"the service would not start: {each}" for each in values.kafka_contradictions()]
    if values.signing != "required":
        problems.append("whoever reaches Kafka would be believed")
    if values.http_host != "0.0.0.0":  # noqa: S104  probes come from outside the pod
        problems.append("probes would not reach the service")
    for thing in rendered.all("Deployment"):
        numbers = [
            port["containerPort"] for port in pod_spec(thing)["containers"][0]["ports"] if port["name"] == "http"
        ]
        if numbers != [values.http_port]:
            problems.append(f"{called(thing)}: the service listens on {values.http_port}, not on {numbers}")
    return problems


def environment(rendered: Rendered) -> list[str]:
    """Variables of containers are settings; who needs the database, and nobody else, has its address by reference."""
    problems = []
    for thing in rendered.workloads():
        container = pod_spec(thing)["containers"][0]
        variables = {each["name"]: each for each in container.get("env", ())}
        problems += [
            f"{called(thing)}: {name} is no setting" for name in variables if name not in VARIABLES | OF_POSTGRES
        ]
        if (DATABASE_URL in variables) != (role(thing) in NEEDS_POSTGRES):
            problems.append(f"{called(thing)}: {DATABASE_URL} is missing, or not needed")
        if DATABASE_URL in variables:
            source = variables[DATABASE_URL].get("valueFrom", {}).get("secretKeyRef", {})
            name = _secret_of_database(rendered, thing)
            if (source.get("name"), source.get("key")) != (name, "uri"):
                problems.append(f"{called(thing)}: its address of the database is the key uri of Secret {name}")
        source = variables.get(ENCRYPTION_KEYS, {}).get("valueFrom", {}).get("secretKeyRef", {})
        if (source.get("name") == "bookstream-keys") != (role(thing) in NEEDS_KEYS):
            problems.append(f"{called(thing)}: {ENCRYPTION_KEYS} is missing, or not needed")
        if not any("bookstream-settings" in each["configMapRef"]["name"] for each in container.get("envFrom", ())):
            problems.append(f"{called(thing)}: has no settings")
    return problems


def _secret_of_database(rendered: Rendered, thing: Object) -> str:
    """The operator's, of the owner, for who migrates; that of the role that runs the service for the others."""
    (cluster,) = rendered.all("Cluster")
    if role(thing) == "migrate":
        return f"{cluster['metadata']['name']}-app"
    return str(_role_that_runs(cluster).get("passwordSecret", {}).get("name"))


def _role_that_runs(cluster: Object) -> Object:
    roles: list[Object] = cluster["spec"].get("managed", {}).get("roles", [])
    return roles[0] if len(roles) == 1 else {}


def commands(rendered: Rendered) -> list[str]:
    """Containers run commands that exist, each role is somebody's, and probes ask paths that are served."""
    problems, roles = [], set()
    for thing in rendered.workloads():
        container = pod_spec(thing)["containers"][0]
        command, *rest = container["args"]
        if command not in COMMANDS:
            problems.append(f"{called(thing)}: there is no bookstream {command}")
        if command == "run":
            roles.add(rest[-1])
            if rest != ["--roles", role(thing)]:
                problems.append(f"{called(thing)}: runs {rest}")
        served = set(re.findall(r'"(/[a-z]+)": not_', inspect.getsource(crew)))
        problems += [
            f"{called(thing)}: nothing answers {value['httpGet']['path']}"
            for name, value in container.items()
            if name.endswith("Probe") and value["httpGet"]["path"] not in served
        ]
    for thing in rendered.all("Job"):
        name = _role_that_runs(rendered.all("Cluster")[0]).get("name")
        if role(thing) == "migrate" and pod_spec(thing)["containers"][0]["args"][1:] != ["--grant-to", name]:
            problems.append(f"{called(thing)}: does not let {name} run the service")
    if roles != set(app.ROLES):
        problems.append(f"roles that run are {sorted(roles)}")
    return problems


def grace(rendered: Rendered) -> list[str]:
    """A pod is not killed before all its roles could have drained one after the other, and some seconds more."""
    drain = broker.DRAIN_SECONDS + broker._GRACEFUL_SECONDS + app.RELAY_STOP_SECONDS
    problems = []
    for thing in rendered.all("Deployment"):
        spec = pod_spec(thing)
        pause = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        given = spec.get("terminationGracePeriodSeconds", 30)
        if given < pause + drain + 5:
            problems.append(f"{called(thing)}: {given} s of grace for {pause + drain:.0f} s")
    return problems


def rollout(rendered: Rendered) -> list[str]:
    """New pods come before old ones go, those of the worker all at once, and every node can be drained."""
    problems = []
    for thing in rendered.all("Deployment"):
        update = thing["spec"]["strategy"].get("rollingUpdate", {})
        if update.get("maxUnavailable") != 0:
            problems.append(f"{called(thing)}: loses pods in a rollout")
        if role(thing) == "worker" and update.get("maxSurge") != "100%":
            problems.append(f"{called(thing)}: rebalances its group for each pod")
    return problems + [
        f"{called(budget)}: keeps nodes from being drained"
        for budget in rendered.all("PodDisruptionBudget")
        if budget["spec"].get("maxUnavailable", 0) == 0
    ]


def topics(rendered: Rendered) -> list[str]:
    """The KafkaTopics are the topics of the service, as it wants them, on the cluster that it uses."""
    values, at = read(rendered), bootstrap(rendered)
    plan = wanted(prefix=values.topic_prefix, partitions=values.partitions, replication=values.replication)
    found = {each["spec"].get("topicName", each["metadata"]["name"]): each for each in rendered.all("KafkaTopic")}
    names = {each.name for each in plan}
    problems = [f"KafkaTopic {name}: is missing" for name in sorted(names - found.keys())]
    problems += [f"KafkaTopic {name}: nobody uses it" for name in sorted(found.keys() - names)]
    for topic in (each for each in plan if each.name in found):
        thing = found[topic.name]
        spec = thing["spec"]
        facts = {"partitions": spec["partitions"], "replicas": spec["replicas"], **spec["config"]}
        should = {"partitions": topic.partitions, "replicas": topic.replication, **topic.config}
        problems += [
            f"{called(thing)}: {name} is {facts.get(name)}, the service wants {should.get(name)}"
            for name in sorted(facts.keys() | should.keys())
            if str(facts.get(name)) != str(should.get(name))
        ]
        problems += _home(thing, at)
    return problems


def _home(thing: Object, at: dict[str, str]) -> list[str]:
    place = (
        thing["metadata"]["labels"].get("strimzi.io/cluster"),
        thing["metadata"].get("namespace", at.get("namespace")),
    )
    right = at.get("cluster"), at.get("namespace")
    return [] if place == right else [f"{called(thing)}: is for {place}, the service uses {right}"]


def scaling(rendered: Rendered) -> list[str]:
    """The worker is scaled on the lag of its own group on each of its topics, between one and the partitions."""
    values, problems = read(rendered), []
    for thing in rendered.all("ScaledObject"):
        spec = thing["spec"]
        metadata: list[Any] = [each["metadata"] for each in spec["triggers"]]
        if sorted(each.get("topic", "") for each in metadata) != sorted(
            values.topic_prefix + t for t in CONSUMED_TOPICS
        ):
            problems.append(f"{called(thing)}: does not look at the topics that the worker consumes")
        should = {
            "consumerGroup": values.group_id,
            "bootstrapServers": values.kafka_bootstrap,
            "offsetResetPolicy": "earliest",
        }
        problems += [
            f"{called(thing)}: {name} of {each.get('topic')} is {each.get(name)}, the service has {value}"
            for each in metadata
            for name, value in should.items()
            if each.get(name) != value
        ]
        if not 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= values.partitions:
            problems.append(f"{called(thing)}: scales from {spec['minReplicaCount']} to {spec['maxReplicaCount']}")
        target = rendered.one("Deployment", spec["scaleTargetRef"]["name"])
        if "replicas" in target["spec"]:
            problems.append(f"{called(target)}: its replicas belong to the autoscaler")
    return problems


def database(rendered: Rendered) -> list[str]:
    """PostgreSQL waits for fewer standbys than there are, and has a connection for every process of a rollout."""
    problems = []
    for thing in rendered.all("Cluster"):
        spec = thing["spec"]
        runs = _role_that_runs(thing)
        if not runs.get("login") or any(runs.get(each) for each in ("superuser", "createdb", "createrole", "inRoles")):
            problems.append(f"{called(thing)}: who runs the service could change the schema, or not log in")
        if runs.get("name") == spec["bootstrap"]["initdb"]["owner"]:
            problems.append(f"{called(thing)}: who runs the service owns the tables")
        if spec["postgresql"].get("synchronous", {}).get("number", 0) >= spec["instances"]:
            problems.append(f"{called(thing)}: waits for more standbys than there are")
        if spec["instances"] > 1 and "synchronous" not in spec["postgresql"]:
            problems.append(f"{called(thing)}: a failover may lose what was committed")
        workers = max([each["spec"]["maxReplicaCount"] for each in rendered.all("ScaledObject")], default=1)
        loops = sum(
            each["spec"].get("replicas", 1) + 1 for each in rendered.all("Deployment") if role(each) != "worker"
        )
        size: int = inspect.signature(pool.make_pool).parameters["size"].default
        needed = 2 * workers * size + loops * _SESSIONS_OF_A_LOOP + _SPARE_CONNECTIONS
        if int(spec["postgresql"]["parameters"]["max_connections"]) < needed:
            problems.append(f"{called(thing)}: max_connections is less than {needed}")
    return problems
