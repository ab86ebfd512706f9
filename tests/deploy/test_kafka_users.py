"""What each client may do in Kafka, which is as little as it can be."""

import os
from pathlib import Path

import pytest

from schemas import headers as names
from service.settings import Settings
from service.topics import CONSUMED_TOPICS
from tests.deploy import schemas
from tests.deploy.rendered import ENVIRONMENTS, Rendered, kustomize

_WRITTEN = (
    names.INTERNAL_COMMANDS,
    names.BOOKING_EVENTS,
    names.VISIT_EVENTS,
    names.COMMAND_RESULTS,
    names.COMMANDS_DLQ,
)
_ALL = tuple(each.name for each in names.TOPICS)


@pytest.fixture
def users(deploy: Path, tmp_path: Path) -> Rendered:
    """The component, rendered by itself."""
    component = os.path.relpath(deploy / "components" / "kafka-users", tmp_path.resolve())
    text = f"kind: Kustomization\nnamespace: kafka\ncomponents: [{component}]\n"
    (tmp_path / "kustomization.yaml").write_text(text, encoding="utf-8")
    return Rendered(kustomize(tmp_path))


def _rights(users: Rendered, name: str) -> set[tuple[str, str, str]]:
    spec = users.one("KafkaUser", f"bookstream-{name}")["spec"]
    return {
        (rule["resource"]["type"], rule["resource"]["name"], operation)
        for rule in spec["authorization"]["acls"]
        for operation in rule["operations"]
    }


def test_the_worker_reads_commands_as_its_group(users: Rendered) -> None:
    """It writes nothing and creates nothing."""
    topics = {
        ("topic", name, operation) for name in CONSUMED_TOPICS for operation in ("Read", "Describe", "DescribeConfigs")
    }
    assert _rights(users, "worker") == topics | {("group", Settings().group_id, "Read")}


def test_the_relay_writes_what_the_outbox_may_hold(users: Rendered) -> None:
    """It reads nothing and creates nothing."""
    assert _rights(users, "relay") == {("topic", name, each) for name in _WRITTEN for each in ("Write", "Describe")}


def test_only_who_replays_dead_letters_writes_where_they_come_again(users: Rendered) -> None:
    """What stands on commands-replay is believed, so nobody else may write it."""
    group = ("group", f"{Settings().group_id}.dlq-replay.", "Read")
    topics = {("topic", names.COMMANDS_DLQ, "Read"), ("topic", names.COMMANDS_REPLAY, "Write")}
    assert _rights(users, "dlq-replay") == {group} | topics | {(kind, name, "Describe") for kind, name, _ in topics}
    write = ("topic", names.COMMANDS_REPLAY, "Write")
    assert not any(write in _rights(users, other) for other in ("worker", "relay", "topics-check", "autoscaler"))


def test_the_check_of_topics_reads_their_settings(users: Rendered) -> None:
    """It sees no record."""
    wanted = {("topic", name, each) for name in _ALL for each in ("Describe", "DescribeConfigs")}
    assert _rights(users, "topics-check") == wanted


def test_the_rights_are_taken_by_name(users: Rendered) -> None:
    """No pattern gives more than what is listed, but for the groups that keep how far a replay is."""
    rules = [rule for user in users.all("KafkaUser") for rule in user["spec"]["authorization"]["acls"]]
    rules = [rule for rule in rules if rule["resource"]["name"] != f"{Settings().group_id}.dlq-replay."]
    assert all("patternType" not in rule["resource"] and rule["resource"]["name"] != "*" for rule in rules)


def test_the_users_are_valid(users: Rendered, schemas_of_operators: Path) -> None:
    """The operator would take them."""
    assert len(users.objects) == 5
    assert schemas.custom(schemas_of_operators)(users) == []


def test_the_autoscaler_sees_lags_and_no_record(users: Rendered) -> None:
    """It describes what the worker consumes, and how far its group is."""
    topics = {("topic", name, "Describe") for name in CONSUMED_TOPICS}
    assert _rights(users, "autoscaler") == topics | {("group", Settings().group_id, "Describe")}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_where_users_are(deploy: Path, environment: str) -> None:
    """Every environment but that of one machine has them all."""
    found = Rendered(kustomize(deploy / "overlays" / environment)).all("KafkaUser")
    assert len(found) == (0 if environment == "local" else 5)
