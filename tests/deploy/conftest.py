"""What is rendered, once for all tests."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.deploy.rendered import Rendered, render
from tests.support.crd_schemas import crd_schemas


@pytest.fixture(scope="session")
def deploy(project_root: Path) -> Path:
    """The folder under test."""
    return project_root / "deploy"


@pytest.fixture(scope="session")
def environment(deploy: Path) -> Callable[[str], Rendered]:
    """Renders an environment, the first time that it is asked for."""
    return cache(lambda name: render(deploy, name))


@pytest.fixture
def production(environment: Callable[[str], Rendered]) -> Rendered:
    """A copy of the production environment, to be broken."""
    return environment("production").copy()


@pytest.fixture(scope="session")
def schemas_of_operators() -> Path:
    """Folder of the JSON Schemas of the operators' objects."""
    return crd_schemas()
