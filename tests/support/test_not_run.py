"""A run without a real Kafka says what it left out, and fails only where that is owed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = """
import pytest

def test_that_needs_nothing() -> None: ...

@pytest.mark.kafka
def test_that_needs_kafka() -> None: ...

def test_that_asks_for_it(kafka: str) -> None: ...

def test_that_kills_nodes(kafka_cluster: object) -> None: ...
"""

_OPERATORS = """
def test_that_needs_nothing() -> None: ...

def test_that_needs_schemas(schemas_of_operators: object) -> None: ...
"""

_PROMETHEUS = """
def test_that_needs_nothing() -> None: ...

def test_that_needs_promtool(promtool: object) -> None: ...
"""


@pytest.fixture
def tests(tmp_path: Path, project_root: Path) -> Path:
    """Return a folder of tests of which one can run anywhere."""
    (tmp_path / "test_sample.py").write_text(_TESTS, encoding="utf-8")
    return tmp_path


def _run(root: Path, tests: Path | str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest where no Java and no Docker is found."""
    telling = {"BOOKSTREAM_TEST_KAFKA", "CI", "BROKER"}
    inherited = {name: value for name, value in os.environ.items() if name not in telling}
    options = ["-c", str(root / "pyproject.toml"), "--rootdir", str(root), "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "tests.conftest", str(tests)],
        cwd=root,
        env=inherited | {"PATH": ""} | environment,
        capture_output=True,
        check=False,
        text=True,
    )


def test_what_was_left_out_is_said_last(project_root: Path, tests: Path) -> None:
    """The run passes, names tests, reason and remedy, and ends with their number."""
    run = _run(project_root, tests)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed, 3 deselected" in run.stdout
    assert "why: Apache Kafka: none" in run.stdout
    assert "there is no java command" in run.stdout
    assert "remedy: install Java 17" in run.stdout
    assert run.stdout.splitlines()[-1] == "3 not run"


@pytest.mark.parametrize("owed", [{"CI": "true"}, {"BROKER": "kafka"}])
def test_leaving_out_what_is_owed_is_a_failure(project_root: Path, tests: Path, owed: dict[str, str]) -> None:
    """Continuous integration, or whoever asks for Kafka, does not get a green run without it."""
    run = _run(project_root, tests, **owed)
    assert run.returncode == 1
    assert "1 passed, 3 deselected" in run.stdout
    assert "remedy: install Java 17" in run.stdout
    assert run.stdout.splitlines()[-1] == "3 not run"


def test_a_run_that_needs_no_kafka_says_nothing(project_root: Path, tests: Path) -> None:
    """Selected tests alone decide."""
    run = _run(project_root, f"{tests}/test_sample.py::test_that_needs_nothing", CI="true")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "not run" not in run.stdout


def test_schemas_of_operators_are_nobodys_debt(project_root: Path, tmp_path: Path) -> None:
    """They are told where they are missing, but come with no tool, so that even CI passes without them."""
    tree = tmp_path / "apart" / "tree"
    shutil.copytree(project_root / "tests", tree / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("service", "schemas", "pyproject.toml"):
        (tree / name).symlink_to(project_root / name)
    (tree / "test_sample.py").write_text(_OPERATORS, encoding="utf-8")
    run = _run(tree, tree / "test_sample.py", CI="true", BOOKSTREAM_CRD_SCHEMAS="")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed, 1 deselected" in run.stdout
    assert "why: schemas of the operators' objects: BOOKSTREAM_CRD_SCHEMAS is not set" in run.stdout
    assert run.stdout.splitlines()[-1] == "1 not run"


@pytest.mark.parametrize(("environment", "code"), [({}, 0), ({"CI": "true"}, 1)])
def test_prometheus_is_owed_too(project_root: Path, tmp_path: Path, environment: dict[str, str], code: int) -> None:
    """Neither on the path nor in the cache, and without Debian's tools, its tests are left out; CI fails for it."""
    (tmp_path / "test_sample.py").write_text(_PROMETHEUS, encoding="utf-8")
    run = _run(project_root, tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"), **environment)
    assert run.returncode == code, run.stdout + run.stderr
    assert "1 passed, 1 deselected" in run.stdout
    assert "why: Prometheus: prometheus is not on the path, and there is no apt-get with dpkg" in run.stdout
    assert run.stdout.splitlines()[-1] == "1 not run"
