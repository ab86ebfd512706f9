"""What stops a start: settings that are wrong, a database that is not migrated; each with its remedy."""

import base64
from pathlib import Path

import pytest

from tests.e2e.broker import Broker
from tests.e2e.process import START_SECONDS, Service, environment, run_to_end
from tests.support.wait import until

NOWHERE = Broker("127.0.0.1:1", "start.")
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.mark.parametrize(
    ("name", "value", "example"),
    [
        ("BOOKSTREAM_PARTITIONS", "many", "12"),
        ("BOOKSTREAM_PARTITIONS", "0", "12"),
        ("BOOKSTREAM_SIGNING", "perhaps", "off"),
        ("BOOKSTREAM_TOPIC_PREFIX", "a b", "staging."),
        ("BOOKSTREAM_HTTP_ADDRESS", "nowhere", "127.0.0.1:8080"),
        ("BOOKSTREAM_GRAPHS_DIR", "/no/such/directory", "./graphs"),
        ("BOOKSTREAM_REPLICATION", "-1", "3"),
        ("BOOKSTREAM_DATABASE_URL", "mysql://x", "postgresql://"),
        ("BOOKSTREAM_CONFIG", "/no/such/file.toml", "/no/such/file.toml"),
    ],
)
def test_a_wrong_setting_is_named_with_an_example(name: str, value: str, example: str) -> None:
    """Exit code 2, the setting's name, its problem and an example."""
    ended = run_to_end(environment(NOWHERE, NO_DATABASE, **{name: value}), "run")
    assert ended.returncode == 2, ended.stderr
    assert f"{name}: " in ended.stderr
    assert example in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_wrong_setting_is_told_at_once() -> None:
    """Nobody has to start twice to learn of the second mistake."""
    wrong = {"BOOKSTREAM_PARTITIONS": "many", "BOOKSTREAM_REPLICATION": "none"}
    ended = run_to_end(environment(NOWHERE, NO_DATABASE, **wrong), "run")
    assert ended.returncode == 2
    assert all(name in ended.stderr for name in wrong)


def test_a_role_that_does_not_exist() -> None:
    """Wrong use is exit code 2 with the roles that there are."""
    ended = run_to_end(environment(NOWHERE, NO_DATABASE), "run", "--roles", "worker,cook")
    assert ended.returncode == 2
    assert "cook" in ended.stderr
    assert "worker,relay,clock" in ended.stderr


def test_a_database_that_is_not_migrated(empty_database_url: str) -> None:
    """Exit code 1 and the command that helps, which then does."""
    settings = environment(NOWHERE, empty_database_url)
    ended = run_to_end(settings, "run")
    assert ended.returncode == 1, ended.stderr
    assert "bookstream migrate" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert run_to_end(settings, "migrate", "--check").returncode == 1
    assert run_to_end(settings, "migrate").returncode == 0
    assert run_to_end(settings, "migrate", "--check").returncode == 0


@pytest.mark.parametrize("signing", ["required", "off"])
def test_secrets_that_can_not_be_opened(database_url: str, signing: str) -> None:
    """Exit code 2 and the setting that is missing, whoever the secrets are for."""
    settings = environment(NOWHERE, database_url, BOOKSTREAM_SIGNING=signing)
    sealed = {"BOOKSTREAM_ENCRYPTION_KEYS": base64.b64encode(b"k" * 32).decode()}
    assert run_to_end({**settings, **sealed}, "migrate").returncode == 0
    ended = run_to_end(settings, "run", "--roles", "worker")
    assert ended.returncode == 2, ended.stderr
    assert "BOOKSTREAM_ENCRYPTION_KEYS: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("roles", ["worker,relay,clock", "clock"])
async def test_sigterm_ends_a_process_that_waits_for_postgresql(tmp_path: Path, roles: str) -> None:
    """A process whose database is not there yet ends when it is asked to, and that is no failure."""
    with Service(environment(NOWHERE, NO_DATABASE), tmp_path, roles) as service:
        await until(lambda: "waiting for PostgreSQL" in service.tail(), START_SECONDS)
        assert service.stop() == 0
