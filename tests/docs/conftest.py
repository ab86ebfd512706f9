import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.docs.town import PLACE, Town
from tests.e2e.broker import PARTITIONS
from tests.e2e.process import Service, environment, run_to_end
from tests.e2e.stage import staged


@pytest.fixture
async def town(kafka: str, topic_prefix: str, database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    """The service, its location `oslo` and its booking `b-1001`, as the pages speak of them."""
    async with staged(kafka, topic_prefix, database_url, tmp_path) as stage:
        settings = environment(stage.broker, database_url, BOOKSTREAM_PARTITIONS=str(PARTITIONS))
        with Service(settings, tmp_path) as service:
            await service.ready()
            for number, command in enumerate(PLACE):
                file = tmp_path / f"{number}.jsonl"
                file.write_text(command.replace("\n", " "), encoding="utf-8")
                sent = await asyncio.to_thread(run_to_end, settings, "send", str(file))
                assert sent.returncode == 0, sent.stderr
                assert "applied" in sent.stdout
            yield Town(kafka, topic_prefix, settings)
