"""Kafka nodes that die, freeze and restart, leaders that move, too few replicas in sync, members that come and go."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from service.topics import wanted
from tests.e2e.broker import PARTITIONS
from tests.faults.evidence import COMMANDS
from tests.faults.kinds.fault import Fault
from tests.faults.stage import Stage
from tests.support.kafka_jars import java

_TOOL_SECONDS = 60
_ADMIN_MS = 10_000
_PAUSE = 0.2

T = TypeVar("T")


@dataclass(slots=True)
class NodesKilled(Fault):
    """SIGKILL to nodes, which come back on their data; with two of three gone, nothing can be written."""

    nodes: tuple[int, ...] | Literal["coordinator"]
    _killed: list[int] = field(default_factory=list, init=False)

    async def inject(self, stage: Stage) -> None:
        """Kills them."""
        self._killed = [await _coordinator(stage)] if self.nodes == "coordinator" else list(self.nodes)
        for node in self._killed:
            await asyncio.to_thread(stage.servers.kafka.kill_node, node)

    async def heal(self, stage: Stage) -> None:
        """Starts them; returns when all serve again."""
        await asyncio.gather(*(asyncio.to_thread(stage.servers.kafka.resume_node, node) for node in self._killed))


@dataclass(slots=True)
class NodeFrozen(Fault):
    """SIGSTOP and SIGCONT: the node answers nothing and is not told that others lead its partitions."""

    node: int

    async def inject(self, stage: Stage) -> None:
        """Freezes it."""
        stage.servers.kafka.pause_node(self.node)

    async def heal(self, stage: Stage) -> None:
        """Thaws it."""
        stage.servers.kafka.continue_node(self.node)


@dataclass(slots=True)
class RollingRestart(Fault):
    """Each node is stopped in good order and started, one after the other."""

    async def inject(self, stage: Stage) -> None:
        """Rolls."""
        for node in stage.servers.kafka.nodes:
            await asyncio.to_thread(stage.servers.kafka.stop_node, node)
            await asyncio.to_thread(stage.servers.kafka.resume_node, node)

    async def heal(self, stage: Stage) -> None:
        """All nodes run."""


@dataclass(slots=True)
class LeadersMoved(Fault):
    """Every partition of the service's topics gets another leader."""

    shift: int

    async def inject(self, stage: Stage) -> None:
        """Reorders the replicas and elects the first of them."""
        order = [(number + self.shift) % 3 + 1 for number in range(3)]
        topics = [topic.name for topic in wanted(prefix=stage.broker.prefix, partitions=PARTITIONS, replication=3)]
        moves = [
            {"topic": topic, "partition": number, "replicas": order[number % 3 :] + order[: number % 3]}
            for topic in topics
            for number in range(PARTITIONS)
        ]
        await asyncio.to_thread(_move, stage.broker.bootstrap, moves)

    async def heal(self, stage: Stage) -> None:
        """Nothing is amiss."""


@dataclass(slots=True)
class TooFewInSync(Fault):
    """Topics want three replicas in sync, and a node is dead: every produce is refused."""

    node: int

    async def inject(self, stage: Stage) -> None:
        """Raises what is wanted, and kills."""
        await _set_in_sync(stage, "3")
        await asyncio.to_thread(stage.servers.kafka.kill_node, self.node)

    async def heal(self, stage: Stage) -> None:
        """Two are enough again; then the node comes back."""
        await _set_in_sync(stage, "2")
        if self.node not in stage.servers.kafka.running:
            await asyncio.to_thread(stage.servers.kafka.resume_node, self.node)


@dataclass(slots=True)
class RebalanceStorm(Fault):
    """A stranger joins the workers' group and leaves it, every second."""

    _storming: asyncio.Task[None] | None = field(default=None, init=False)

    async def inject(self, stage: Stage) -> None:
        """Begins to join and leave."""
        self._storming = asyncio.create_task(self._storm(stage))

    async def heal(self, stage: Stage) -> None:
        """Leaves for good."""
        assert self._storming is not None
        self._storming.cancel()
        await asyncio.gather(self._storming, return_exceptions=True)

    async def _storm(self, stage: Stage) -> None:
        while True:
            stranger = AIOKafkaConsumer(
                *(stage.broker.prefix + topic for topic in COMMANDS),
                bootstrap_servers=stage.broker.bootstrap,
                group_id=stage.group_id,
                enable_auto_commit=False,
                session_timeout_ms=6_000,
                partition_assignment_strategy=(RangePartitionAssignor,),
            )
            try:
                await stranger.start()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await stranger.getmany(timeout_ms=500)
            except KafkaError:
                pass
            finally:
                await asyncio.shield(stranger.stop())
            await asyncio.sleep(0.5)


async def _coordinator(stage: Stage) -> int:
    async def ask(admin: AIOKafkaAdminClient) -> int:
        return int(await admin.find_coordinator(stage.group_id))

    return await _with_admin(stage, ask)


async def _set_in_sync(stage: Stage, replicas: str) -> None:
    configs = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, {**topic.config, "min.insync.replicas": replicas})
        for topic in wanted(prefix=stage.broker.prefix, partitions=PARTITIONS, replication=3)
    ]
    await _with_admin(stage, lambda admin: admin.alter_configs(configs))


async def _with_admin(stage: Stage, do: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
    """Asks again while the node that is asked is dead or not in its right mind yet."""
    async with asyncio.timeout(_TOOL_SECONDS):
        while True:
            admin = AIOKafkaAdminClient(bootstrap_servers=stage.broker.bootstrap, request_timeout_ms=_ADMIN_MS)
            try:
                await admin.start()
                return await do(admin)
            except KafkaError:
                await asyncio.sleep(_PAUSE)
            finally:
                await admin.close()


def _move(bootstrap: str, moves: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        plan = Path(directory) / "moves.json"
        plan.write_text(json.dumps({"version": 1, "partitions": moves}), encoding="utf-8")
        where = ["--bootstrap-server", bootstrap]
        for words in (
            ["reassign.ReassignPartitionsCommand", *where, "--reassignment-json-file", str(plan), "--execute"],
            ["LeaderElectionCommand", *where, "--election-type", "preferred", "--all-topic-partitions"],
        ):
            name, *options = words
            subprocess.run(
                [*java("128m"), f"org.apache.kafka.tools.{name}", *options],
                capture_output=True,
                check=True,
                timeout=_TOOL_SECONDS,
            )
