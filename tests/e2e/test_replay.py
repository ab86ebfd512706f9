"""Dead letters from the command line back through the service, on a real Kafka and a real PostgreSQL."""

import asyncio
import json

import pytest

from tests.e2e.broker import Broker, Sent
from tests.e2e.checker import Seen
from tests.e2e.process import Service, environment, run_to_end
from tests.e2e.stage import SETTLED_SECONDS, Stage, create, open_location, stop, update, versions
from tests.support.wait import until

NO_BAD = "ALTER TABLE aggregate ADD CONSTRAINT nobody_is_bad CHECK (aggregate_id NOT LIKE 'bad%')"
MENDED = "ALTER TABLE aggregate DROP CONSTRAINT nobody_is_bad"


async def replay(stage: Stage, *arguments: str) -> int:
    """Sends dead letters again, and waits until they are decided and what follows is published."""
    settings = environment(stage.broker, stage.database_url)
    ended = await asyncio.to_thread(run_to_end, settings, "dlq", "replay", "--json", *arguments)
    assert ended.returncode == 0, ended.stderr
    await until(lambda: replays_settled(stage), SETTLED_SECONDS)
    sent: int = json.loads(ended.stdout)["sent"]
    return sent


async def replays_settled(stage: Stage) -> bool:
    """Whether all that was sent again is decided and published."""
    consumed = await stage.connection.fetchval(
        "SELECT coalesce(sum(next_offset), 0) FROM progress WHERE topic = 'commands-replay'"
    )
    waiting = await stage.connection.fetchval("SELECT EXISTS (SELECT 1 FROM outbox)")
    return not waiting and int(consumed) == await stage.broker.count(["commands-replay"])


async def letters(broker: Broker) -> dict[tuple[str, str], list[Seen]]:
    """Dead letters by key and reason, each in its order."""
    found: dict[tuple[str, str], list[Seen]] = {}
    for one in sorted(await broker.read(["commands-dlq"]), key=lambda one: one.offset):
        found.setdefault(((one.key or b"").decode(), one.header("dlq_reason")), []).append(one)
    return found


@pytest.mark.timeout(150)
async def test_dead_letters_are_replayed(stage: Stage) -> None:
    """What broke a rule is applied once it is mended, as of its first time; what is no command comes back again."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.connection.execute(NO_BAD)
        garbage = Sent("booking-commands", b"g", b"no json", [("ce_id", b"\xff"), ("authorization", b"Bearer x")])
        await stage.send([create("bad-1"), create("b-1"), garbage, update("bad-1", "u-1", notes="x")])
        await stage.settle()
        await stage.connection.execute(MENDED)
        before = await letters(stage.broker)
        assert set(before) == {("bad-1", "internal_error"), ("g", "header_not_utf8")}
        await decided_again(stage, service, before)
        assert await stop(service) == 0, service.tail()


async def decided_again(stage: Stage, service: Service, before: dict[tuple[str, str], list[Seen]]) -> None:
    """Replays everything twice over and looks at what it led to."""
    assert await replay(stage) == 2
    events = await stage.events()
    assert versions(events) == {"bad-1": [1], "b-1": [1]}
    (event,) = [one for one in events if one.key == b"bad-1"]
    (letter,) = before["bad-1", "internal_error"]
    assert event.header("ce_time") == letter.header("dlq_appended_at")
    assert event.body["actor"] == "external"
    after = await letters(stage.broker)
    first, again = after["g", "header_not_utf8"]
    names = ("dlq_topic", "dlq_partition", "dlq_offset", "dlq_appended_at")
    assert [first.header(name) for name in names] == [again.header(name) for name in names]
    assert (first.header("dlq_attempts"), again.header("dlq_attempts")) == ("1", "2")
    assert (first.value, again.value, again.header("authorization")) == (b"no json", b"no json", "")
    assert again.headers[0] == ("ce_id", b"\xff")
    # The one that came back is new; the command is only answered again.
    assert await replay(stage, "--from-start") == 3
    assert versions(await stage.events()) == {"bad-1": [1], "b-1": [1]}
    assert service.problems() == []
