from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.apart import run_apart
from tests.support.certificates import Authority
from tests.support.kafka_jars import fetch_jars
from tests.support.kafka_secured import Grant, SecuredKafka, grants_of

USERS = ("bookstream-worker", "bookstream-relay", "bookstream-topics-check")
STRANGER = "stranger"


def granted(root: Path) -> list[Grant]:
    """What deploy/ grants to the service's users, whether they come by certificate or by password."""
    found: list[Grant] = []
    for path in sorted((root / "deploy/components/kafka-users").glob("user-*.yaml")):
        user = yaml.safe_load(path.read_text(encoding="utf-8"))
        name = user["metadata"]["name"]
        found += grants_of(user, (f"User:CN={name}", f"User:{name}"))
    return found


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Iterator[SecuredKafka]:
    """A node with an authorizer, whose users have the rights that deploy/ grants, and a stranger who has none."""
    fetch_jars()
    with SecuredKafka(tmp_path_factory.mktemp("kafka"), (*USERS, STRANGER)) as kafka:
        run_apart(lambda: kafka.grant(granted(project_root)))
        yield kafka


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA of the test's own."""
    return Authority(tmp_path)
