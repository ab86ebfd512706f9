"""Mistakes in what protects the network: for each check, what it has to say and how to make it."""

from collections.abc import Mapping
from typing import Final

from tests.deploy import transport
from tests.deploy.breaks_of_agreement import CLOCK, RELAY, SCALED, WORKER
from tests.deploy.rendered import Break, Check, drop, put, remove

JOB: Final = ("Job", "bookstream-topics-check")
USER: Final = ("KafkaUser", "bookstream-relay")
KEDA: Final = ("TriggerAuthentication", "bookstream-kafka")
_POD: Final = "spec/template/spec"
_ENV: Final = f"{_POD}/containers/0/env"
_SECRET: Final = {
    "name": "other",
    "secret": {"secretName": "bookstream-worker", "items": [{"key": "user.key", "path": "user.key"}]},
}


def _setting(name: str, value: str) -> Break:
    return put("ConfigMap", "bookstream-settings", f"data/BOOKSTREAM_KAFKA_SECURITY_{name}", value)


BREAKS: Final[Mapping[Check, list[tuple[str, Break]]]] = {
    transport.certificates: [
        ("Kafka is reached in the clear", _setting("PROTOCOL", "PLAINTEXT")),
        ("/etc/kafka/other.crt is None", _setting("SSL_CA_FILE", "/etc/kafka/other.crt")),
        ("/user.key is None", _setting("SSL_KEY_FILE", "/user.key")),
        ("Job bookstream-topics-check: /etc/kafka/ca.crt is None", drop(*JOB, f"{_POD}/containers/0/volumeMounts")),
        (
            "('bookstream-worker', 'user.crt'), not ('bookstream-relay', 'user.crt')",
            put(*RELAY, f"{_POD}/volumes/1/projected/sources/1/secret/name", "bookstream-worker"),
        ),
        (
            "('main-clients-ca-cert', 'ca.crt'), not ('main-cluster-ca-cert', 'ca.crt')",
            put(*WORKER, f"{_POD}/volumes/1/projected/sources/0/secret/name", "main-clients-ca-cert"),
        ),
        ("Deployment bookstream-clock: has no need of", put(*CLOCK, f"{_POD}/volumes", [_SECRET])),
        ("/ca.crt is None", put(*CLOCK, f"{_POD}/volumes/0/secret/items/0/path", "root.crt")),
    ],
    transport.postgres: [
        ("Deployment bookstream-clock: ", put(*CLOCK, f"{_ENV}/0/value", "require")),
        ("Deployment bookstream-worker: ", drop(*WORKER, _ENV)),
        ("Job bookstream-topics-check: ", put(*JOB, _ENV, [{"name": "PGSSLMODE", "value": "verify-full"}])),
    ],
    transport.users: [
        ("KafkaUser bookstream-relay: is missing", remove(*USER)),
        ("KafkaUser bookstream-autoscaler: is missing", remove("KafkaUser", "bookstream-autoscaler")),
        (
            "KafkaUser bookstream-relay: is for ('other', 'kafka')",
            put(*USER, "metadata/labels/strimzi.io~1cluster", "other"),
        ),
        ("KafkaUser bookstream-relay: is for ('main', 'bookstream')", put(*USER, "metadata/namespace", "bookstream")),
        ("KafkaUser bookstream-relay: has no certificate", put(*USER, "spec/authentication/type", "scram-sha-512")),
        ("nobody could be known by it", _setting("PROTOCOL", "PLAINTEXT")),
    ],
    transport.autoscaler: [
        ("asks Kafka in the clear", drop(*SCALED, "spec/triggers/1/metadata/tls")),
        ("there is no TriggerAuthentication None", drop(*SCALED, "spec/triggers/0/authenticationRef")),
        ("there is no TriggerAuthentication bookstream-kafka", remove(*KEDA)),
        ("TriggerAuthentication bookstream-kafka: takes", put(*KEDA, "spec/secretTargetRef/0/name", "other")),
        ("TriggerAuthentication bookstream-kafka: takes", put(*KEDA, "spec/secretTargetRef/2/name", "other")),
    ],
}
