from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.apart import run_apart
from tests.support.certificates import Authority
from tests.support.kafka_jars import fetch_jars
from tests.support.kafka_secured import Grant, SecuredKafka, grants_of

STRANGER = "stranger"


def declared(root: Path) -> dict[str, list[Grant]]:
    """The users of deploy/, and what it grants them, whether they come by certificate or by password."""
    found: dict[str, list[Grant]] = {}
    for path in sorted((root / "deploy/components/kafka-users").glob("user-*.yaml")):
        user = yaml.safe_load(path.read_text(encoding="utf-8"))
        name = user["metadata"]["name"]
        found[name] = list(grants_of(user, (f"User:CN={name}", f"User:{name}")))
    return found


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Iterator[SecuredKafka]:
    """A node with an authorizer, whose users have the rights that deploy/ grants, and a stranger who has none."""
    fetch_jars()
    users = declared(project_root)
    with SecuredKafka(tmp_path_factory.mktemp("kafka"), (*users, STRANGER)) as kafka:
        run_apart(lambda: kafka.grant(each for grants in users.values() for each in grants))
        yield kafka


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA of the test's own."""
    return Authority(tmp_path)
