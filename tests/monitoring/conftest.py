"""Rendered rules, and the programs that judge them."""

from pathlib import Path

import pytest

from tests.deploy.conftest import deploy, environment, production
from tests.e2e.conftest import stage
from tests.support.prometheus import program

__all__ = ["deploy", "environment", "production", "stage"]


@pytest.fixture(scope="session")
def promtool() -> Path:
    """The program that checks and tests rules."""
    return program("promtool")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """The server."""
    return program("prometheus")
