from datetime import timedelta

import pytest

from service.retention import kept_for_longer
from service.topics import CONSUMED_TOPICS
from tests.e2e.broker import Broker
from tests.e2e.process import environment, run_to_end
from tests.kafka.harness import make_topics, set_config

DAY_MS = 86_400_000
TWO_WEEKS = timedelta(days=14)


@pytest.mark.parametrize(
    ("milliseconds", "kept"),
    [(14 * DAY_MS, {}), (14 * DAY_MS + 1, TWO_WEEKS + timedelta(milliseconds=1)), (-1, None)],
    ids=["as long", "a moment longer", "for ever"],
)
async def test_topics_that_keep_records_for_longer(
    kafka: str, topic_prefix: str, milliseconds: int, kept: timedelta | dict[str, timedelta] | None
) -> None:
    """Records may stay in a topic for as long as their commands are remembered, and no longer."""
    topic = topic_prefix + "booking-commands"
    await make_topics(kafka, topic_prefix, ["booking-commands"], **{"retention.ms": str(milliseconds)})
    found = await kept_for_longer({"bootstrap_servers": kafka}, [topic, topic_prefix + "absent"], TWO_WEEKS)
    assert found == (kept if isinstance(kept, dict) else {topic: kept})


@pytest.mark.timeout(120)
async def test_a_worker_does_not_start_when_it_would_forget_too_early(
    kafka: str, topic_prefix: str, database_url: str
) -> None:
    """The start ends with the name of the setting and what to do; the doctor says the same."""
    broker = Broker(kafka, topic_prefix)
    await broker.make_topics()
    await set_config(kafka, topic_prefix + CONSUMED_TOPICS[0], {"retention.ms": str(30 * DAY_MS)})
    settings = environment(broker, database_url)
    ran = run_to_end(settings, "run", "--roles", "worker")
    assert ran.returncode == 2, ran.stderr
    assert "BOOKSTREAM_INBOX_RETENTION_DAYS" in ran.stderr
    assert f"{topic_prefix}{CONSUMED_TOPICS[0]} for 30 days" in ran.stderr
    examined = run_to_end(settings, "doctor")
    assert "kafka.retention" in examined.stdout
    assert "BOOKSTREAM_INBOX_RETENTION_DAYS" in examined.stdout
