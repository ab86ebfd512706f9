from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.stage import Stage, staged


@pytest.fixture
async def stage(kafka: str, topic_prefix: str, database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """Topics on a real Kafka and a migrated database, nothing running."""
    async with staged(kafka, topic_prefix, database_url, tmp_path) as made:
        yield made
