from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import faketime
from tests.support.small_disk import SmallDisk, small_disk


@pytest.fixture(scope="session")
def jumping_clocks() -> Path:
    """The library that lets the wall clocks of processes jump."""
    return faketime.library()


@pytest.fixture
def full_disk() -> Iterator[SmallDisk]:
    """A PostgreSQL, not started, with its log on a disk that can be filled."""
    with small_disk({}) as disk:
        yield disk
