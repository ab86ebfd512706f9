"""Mistakes between objects, and between objects and code: for each check, what it has to say and how to make it."""

from collections.abc import Mapping
from typing import Any, Final

from tests.deploy import agreement, network
from tests.deploy.rendered import Break, Check, add, drop, put, remove

WORKER: Final = ("Deployment", "bookstream-worker")
RELAY: Final = ("Deployment", "bookstream-relay")
CLOCK: Final = ("Deployment", "bookstream-clock")
SCALED: Final = ("ScaledObject", "bookstream-worker")
CLUSTER: Final = ("Cluster", "bookstream-postgres")
TOPIC: Final = ("KafkaTopic", "booking-commands")
_CONTAINER: Final = "spec/template/spec/containers/0"
_TRIGGER: Final = "spec/triggers/0/metadata"
_PLAIN: Final = {"name": "BOOKSTREAM_DATABASE_URL", "value": "x"}


def _setting(name: str, value: str) -> Break:
    return put("ConfigMap", "bookstream-settings", f"data/{name}", value)


def _policy(name: str, pointer: str, value: object) -> Break:
    return put("NetworkPolicy", name, pointer, value)


def _open(name: str, **spec: Any) -> Break:
    """Add a policy for every pod of the namespace."""
    metadata = {"name": name, "namespace": "bookstream"}
    return add({"kind": "NetworkPolicy", "metadata": metadata, "spec": {"podSelector": {}, **spec}})


BREAKS: Final[Mapping[Check, list[tuple[str, Break]]]] = {
    agreement.settings: [
        ("BOOKSTREAM_TOPICS_PREFIX: no such setting", _setting("BOOKSTREAM_TOPICS_PREFIX", "")),
        ("BOOKSTREAM_DATABASE_URL: belongs elsewhere", _setting("BOOKSTREAM_DATABASE_URL", "postgresql://a/b")),
        ("BOOKSTREAM_GROUP_ID: is missing", drop("ConfigMap", "bookstream-settings", "data/BOOKSTREAM_GROUP_ID")),
        ("the service would not start", _setting("BOOKSTREAM_PARTITIONS", "twelve")),
        ("the service would not start", _setting("BOOKSTREAM_REPLY_TOPICS", "command-results")),
        ("whoever reaches Kafka would be believed", _setting("BOOKSTREAM_SIGNING", "off")),
        ("OTEL_TRACE_EXPORTER: no such setting", _setting("OTEL_TRACE_EXPORTER", "otlp")),
        ("OTEL_TRACES_EXPORTER: is missing", drop("ConfigMap", "bookstream-settings", "data/OTEL_TRACES_EXPORTER")),
        ("the service would not start", _setting("OTEL_TRACES_EXPORTER", "zipkin")),
        ("KEY_FILE: is needed with", _setting("BOOKSTREAM_KAFKA_SECURITY_SSL_KEY_FILE", "")),
        ("probes would not reach the service", _setting("BOOKSTREAM_HTTP_ADDRESS", "127.0.0.1:8080")),
        ("the service listens on 8081", _setting("BOOKSTREAM_HTTP_ADDRESS", "0.0.0.0:8081")),
        ("listens on 8080, not on [9090]", put(*WORKER, f"{_CONTAINER}/ports/0/containerPort", 9090)),
    ],
    agreement.environment: [
        ("BOOKSTREAM_DB_URL is no setting", put(*WORKER, f"{_CONTAINER}/env/2/name", "BOOKSTREAM_DB_URL")),
        ("is missing, or not needed", put(*CLOCK, f"{_CONTAINER}/env", [])),
        ("is missing, or not needed", put("Job", "bookstream-topics-check", f"{_CONTAINER}/env", [_PLAIN])),
        ("Secret bookstream-run", put(*WORKER, f"{_CONTAINER}/env/2/valueFrom/secretKeyRef/key", "url")),
        ("Secret bookstream-run", put(*WORKER, f"{_CONTAINER}/env/2", _PLAIN)),
        (
            "Secret bookstream-run",
            put(*CLOCK, f"{_CONTAINER}/env/2/valueFrom/secretKeyRef/name", "bookstream-postgres-app"),
        ),
        ("Secret other", put(*CLUSTER, "spec/managed/roles/0/passwordSecret/name", "other")),
        ("Secret other-app", put(*CLUSTER, "metadata/name", "other")),
        ("has no settings", drop(*RELAY, f"{_CONTAINER}/envFrom")),
    ],
    agreement.commands: [
        ("there is no bookstream consume", put(*WORKER, f"{_CONTAINER}/args", ["consume"])),
        ("runs ['--roles', 'clock']", put(*RELAY, f"{_CONTAINER}/args/2", "clock")),
        ("roles that run are", remove(*CLOCK)),
        ("does not let bookstream_run run", put("Job", "bookstream-migrate", f"{_CONTAINER}/args", ["migrate"])),
        ("does not let other run", put(*CLUSTER, "spec/managed/roles/0/name", "other")),
        ("nothing answers /healthz", put(*WORKER, f"{_CONTAINER}/livenessProbe/httpGet/path", "/healthz")),
    ],
    agreement.grace: [
        ("30 s of grace for 50 s", drop(*WORKER, "spec/template/spec/terminationGracePeriodSeconds")),
        ("60 s of grace for 65 s", put(*RELAY, f"{_CONTAINER}/lifecycle/preStop/sleep/seconds", 20)),
    ],
    agreement.rollout: [
        ("loses pods in a rollout", put(*CLOCK, "spec/strategy/rollingUpdate/maxUnavailable", 1)),
        ("loses pods in a rollout", put(*RELAY, "spec/strategy", {"type": "Recreate"})),
        ("rebalances its group for each pod", put(*WORKER, "spec/strategy/rollingUpdate/maxSurge", 1)),
        (
            "keeps nodes from being drained",
            put("PodDisruptionBudget", "bookstream-relay", "spec", {"minAvailable": 2}),
        ),
    ],
    agreement.topics: [
        ("KafkaTopic booking-commands: is missing", remove(*TOPIC)),
        ("KafkaTopic booking-comands: nobody uses it", put(*TOPIC, "metadata/name", "booking-comands")),
        ("KafkaTopic staging.booking-commands: is missing", _setting("BOOKSTREAM_TOPIC_PREFIX", "staging.")),
        ("partitions is 6", put(*TOPIC, "spec/partitions", 6)),
        ("replicas is 1", put(*TOPIC, "spec/replicas", 1)),
        ("message.timestamp.type is None", drop(*TOPIC, "spec/config/message.timestamp.type")),
        ("retention.ms is 1", put("KafkaTopic", "commands-dlq", "spec/config/retention.ms", 1)),
        ("segment.ms is 1, the service wants None", put(*TOPIC, "spec/config/segment.ms", 1)),
        ("is for ('other', 'kafka')", put(*TOPIC, "metadata/labels/strimzi.io~1cluster", "other")),
        ("is for ('main', 'bookstream')", put(*TOPIC, "metadata/namespace", "bookstream")),
        ("the service uses (None, None)", _setting("BOOKSTREAM_KAFKA_BOOTSTRAP", "somewhere:9092")),
    ],
    agreement.scaling: [
        ("does not look at the topics", put(*SCALED, f"{_TRIGGER}/topic", "booking-events")),
        ("does not look at the topics", drop(*SCALED, f"{_TRIGGER}/topic")),
        ("consumerGroup of booking-commands is other", put(*SCALED, f"{_TRIGGER}/consumerGroup", "other")),
        ("the service has blue", _setting("BOOKSTREAM_GROUP_ID", "blue")),
        ("bootstrapServers of booking-commands", put(*SCALED, f"{_TRIGGER}/bootstrapServers", "kafka:9092")),
        ("offsetResetPolicy of booking-commands", put(*SCALED, f"{_TRIGGER}/offsetResetPolicy", "latest")),
        ("scales from 3 to 13", put(*SCALED, "spec/maxReplicaCount", 13)),
        ("scales from 0 to 12", put(*SCALED, "spec/minReplicaCount", 0)),
        ("its replicas belong to the autoscaler", put(*WORKER, "spec/replicas", 3)),
    ],
    agreement.database: [
        ("waits for more standbys than there are", put(*CLUSTER, "spec/instances", 1)),
        ("could change the schema", put(*CLUSTER, "spec/managed/roles/0/superuser", True)),  # noqa: FBT003
        ("or not log in", drop(*CLUSTER, "spec/managed/roles/0/login")),
        ("owns the tables", put(*CLUSTER, "spec/managed/roles/0/name", "bookstream")),
        ("a failover may lose", drop(*CLUSTER, "spec/postgresql/synchronous")),
        ("max_connections is less than", put(*CLUSTER, "spec/postgresql/parameters/max_connections", "100")),
    ],
    network.default_deny: [
        ("namespace bookstream is open", remove("NetworkPolicy", "default-deny")),
        ("namespace bookstream is open", _policy("default-deny", "spec/policyTypes", ["Ingress"])),
        ("namespace bookstream is open", _policy("default-deny", "spec/podSelector", {"matchLabels": {"a": "b"}})),
        ("NetworkPolicy all: opens every port", _open("all", egress=[{}])),
    ],
    network.ways_out: [
        (
            "Deployment bookstream-worker: has no way to",
            _policy("bookstream-worker", "spec/egress/1/ports/0/port", 9092),
        ),
        (
            "Deployment bookstream-worker: has no way to",
            _policy("bookstream-worker", "spec/egress/0/ports/0/port", 6432),
        ),
        ("Deployment bookstream-relay: has no way to", remove("NetworkPolicy", "bookstream-relay")),
        ("Job bookstream-migrate: has no way to", put(*CLUSTER, "metadata/name", "other")),
        ("has no way to", _setting("BOOKSTREAM_KAFKA_BOOTSTRAP", "main-kafka-bootstrap.events.svc:9092")),
        ("Deployment bookstream-clock: has no way to", remove("NetworkPolicy", "dns")),
        ("Deployment bookstream-clock: has no need of a way", _open("web", egress=[{"ports": [{"port": 443}]}])),
    ],
    network.ways_into_postgres: [
        (
            "lets Job bookstream-migrate in at []",
            _policy(
                "bookstream-postgres",
                "spec/ingress/0/from/0/podSelector/matchExpressions/0/values",
                ["worker", "relay", "clock"],
            ),
        ),
        (
            "lets Job bookstream-topics-check in at [5432]",
            drop("NetworkPolicy", "bookstream-postgres", "spec/ingress/0/from/0/podSelector/matchExpressions"),
        ),
        (
            "its instances do not reach each other at 8000",
            drop("NetworkPolicy", "bookstream-postgres", "spec/ingress/1"),
        ),
        (
            "its operator does not reach it at 5432",
            drop("NetworkPolicy", "bookstream-postgres", "spec/ingress/1/from/1"),
        ),
    ],
}
