"""Three nodes of Kafka, a PostgreSQL, several processes of the service, and a proxy on each of its connections."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from service.embedded import EmbeddedPostgres
from service.embedded.process import LOOPBACK
from service.store.migrate import migrate
from tests.e2e.broker import Broker, configure
from tests.e2e.process import COMMAND, Service, environment
from tests.e2e.workload import LOCATION
from tests.faults.cluster import Cluster
from tests.faults.guests import Guests
from tests.faults.ledger import Connection, waiting
from tests.faults.model_state import STRICT, STRICT_SETTINGS
from tests.faults.sender import Sender
from tests.faults.signers import Signers, add_clients
from tests.faults.traffic import ACCOUNTS, Mix, traffic
from tests.faults.witness import Witness
from tests.support import faketime
from tests.support.proxy import TcpProxy
from tests.support.wait import until

SESSION_MS = 6_000
READY_SECONDS = 90.0
_TAIL = 1_000
_LOCATIONS: Mapping[str, Mapping[str, object]] = {LOCATION: {}, STRICT: STRICT_SETTINGS}
# Few connections, so that they can all be taken.
CONNECTIONS = 60
POSTGRES = {"max_connections": str(CONNECTIONS)}


@dataclass(frozen=True, slots=True)
class Cast:
    """The roles of each process, and how all are started; `clocks` is the library that lets wall clocks jump."""

    roles: Sequence[str] = ("worker", "worker", "relay", "relay", "clock", "clock")
    command: Sequence[str] = COMMAND
    clocks: Path | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, and how many records a second."""

    seed: int
    pace: float = 150.0
    mix: Mix = field(default_factory=Mix)


@dataclass(slots=True)
class Member:
    """A process of the service, the proxy on its way to PostgreSQL, and the file of its clock where it has one."""

    service: Service
    postgres: TcpProxy
    clock: Path | None = None

    @property
    def roles(self) -> str:
        """What the process does."""
        return self.service.roles


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers of the stage's own, and a proxy on the way to each node of Kafka; one worker has proxies apart."""

    kafka: Cluster
    postgres: EmbeddedPostgres
    nodes: Mapping[int, TcpProxy]
    apart: Mapping[int, TcpProxy]


@dataclass(slots=True)
class Stage:
    """All that a fault can reach. The harness itself has connections that no fault touches."""

    own: Servers | None
    broker: Broker
    database_url: str
    members: list[Member]
    witness: Witness
    sender: Sender
    ended: list[str] = field(default_factory=list)

    @property
    def servers(self) -> Servers:
        """The servers, where they are the stage's own."""
        assert self.own is not None, "this fault is for a stage with servers of its own"
        return self.own

    @property
    def group_id(self) -> str:
        """The consumer group of the workers."""
        return f"{self.broker.prefix}bookstream"

    def of_role(self, role: str) -> list[Member]:
        """The processes of a role."""
        return [member for member in self.members if role in member.roles.split(",")]

    async def connect(self) -> Connection:
        """A connection of the harness to PostgreSQL."""
        return await asyncpg.connect(self.database_url, timeout=5.0, server_settings={"application_name": "harness"})

    async def ready(self, members: Sequence[Member] | None = None) -> None:
        """Waits until these processes, or all, say that they are ready."""
        waited = self.members if members is None else members
        try:
            await asyncio.gather(*(until(lambda one=one: self._is_ready(one), READY_SECONDS) for one in waited))  # type: ignore[misc]
        except TimeoutError:
            said = [f"{one.roles}: {await asyncio.to_thread(_problems, one)}" for one in waited]
            raise TimeoutError(f"not ready: {said}") from None

    async def _is_ready(self, member: Member) -> bool:
        service = member.service
        if service.pid is not None and not service.runs:
            # What a platform does with a process that ends by itself; one that a fault has killed is that fault's.
            self.ended.append(f"{member.roles}: {service.tail()[-_TAIL:]}")
            service.start()
        return await asyncio.to_thread(_problems, member) == []

    async def stop_clocks(self) -> datetime:
        """Stops what does nothing but send commands when their time comes; gives the time by PostgreSQL before that."""
        connection = await self.connect()
        try:
            now: datetime = await connection.fetchval("SELECT now()")
        finally:
            await connection.close()
        for member in self.members:
            if member.roles == "clock" and member.service.runs:
                await asyncio.to_thread(member.service.stop)
        return now

    async def left_to_do(self, until: datetime | None = None) -> list[str]:
        """What is not consumed, published, read yet, nor fired that was due by then (or now)."""
        try:
            connection = await self.connect()
        except (OSError, asyncpg.PostgresError) as error:
            return [f"PostgreSQL does not answer: {error!r}"]
        try:
            told = await waiting(connection, self.witness.command_ends(), until)
        finally:
            await connection.close()
        return told if await self.witness.has_read_all() else [*told, "not all is read"]


def _problems(member: Member) -> list[str]:
    try:
        return member.service.problems()
    except RuntimeError as ended:
        return [str(ended)]


@asynccontextmanager
async def staged(
    directory: Path, cast: Cast, load: Load, postgres: EmbeddedPostgres | None = None
) -> AsyncIterator[Stage]:
    """Everything on servers of its own: three nodes of Kafka and a PostgreSQL. Nothing is sent yet."""
    async with AsyncExitStack() as stack:
        servers = await _servers(stack, postgres or EmbeddedPostgres(settings=POSTGRES))
        broker = Broker(servers.kafka.bootstrap, f"f{os.urandom(3).hex()}.", replication=3)
        outside, apart = (_behind(proxies, broker) for proxies in (servers.nodes, servers.apart))
        await migrate(servers.postgres.url)
        yield await _played(stack, Scene(servers, broker, outside, servers.postgres.url, apart), directory, cast, load)


@asynccontextmanager
async def staged_on(
    bootstrap: str, prefix: str, database_url: str, directory: Path, cast: Cast, load: Load
) -> AsyncIterator[Stage]:
    """The service on servers that run already; only its connections to PostgreSQL go through proxies."""
    async with AsyncExitStack() as stack:
        broker = Broker(bootstrap, prefix)
        yield await _played(stack, Scene(None, broker, broker, database_url), directory, cast, load)


@dataclass(frozen=True, slots=True)
class Scene:
    """The servers as the harness reaches them, as the service does, and as the one worker apart does."""

    own: Servers | None
    broker: Broker
    outside: Broker
    database_url: str
    apart: Broker | None = None

    @property
    def signing(self) -> bool:
        """Where the servers are the stage's own, senders sign."""
        return self.own is not None

    def settings(self, database_url: str, broker: Broker | None = None) -> dict[str, str]:
        """Those of a process of the service that reaches the servers there."""
        return environment(
            broker or self.outside,
            database_url,
            BOOKSTREAM_REPLICATION=str(self.broker.replication),
            BOOKSTREAM_SIGNING="required" if self.signing else "off",
        )


async def _servers(stack: AsyncExitStack, postgres: EmbeddedPostgres) -> Servers:
    kafka = Cluster(SESSION_MS)
    nodes, apart = [
        {node: await stack.enter_async_context(TcpProxy(LOOPBACK, ports[node])) for node in kafka.nodes}
        for ports in (kafka.outside_ports, kafka.apart_ports)
    ]
    kafka.advertise({node: proxy.address for node, proxy in nodes.items()})
    kafka.advertise_apart({node: proxy.address for node, proxy in apart.items()})
    await asyncio.gather(stack.enter_async_context(kafka), stack.enter_async_context(postgres))
    return Servers(kafka, postgres, nodes, apart)


async def _played(stack: AsyncExitStack, scene: Scene, directory: Path, cast: Cast, load: Load) -> Stage:
    """Makes topics, starts the processes and the witness, configures the locations."""
    signers, _ = await asyncio.gather(_signers(scene), scene.broker.make_topics())
    apart = cast.roles.index("worker") if scene.apart else None
    members = [
        await _member(stack, scene, role, cast, directory, scene.apart if number == apart else None)
        for number, role in enumerate(cast.roles)
    ]
    guests = Guests(load.seed)
    witness = await stack.enter_async_context(Witness(scene.broker, guests.hear, signing=scene.signing))
    records = signers.among(guests.among(traffic(load.seed, load.mix)), load.seed)
    sender = Sender(scene.broker, records, load.pace, load.seed)
    stage = Stage(scene.own, scene.broker, scene.database_url, members, witness, sender)
    for member in members:
        stack.enter_context(member.service)
    await stage.ready()
    await scene.broker.send(
        [configure(account, name, settings) for account in ACCOUNTS for name, settings in _LOCATIONS.items()]
    )
    await until(lambda: _is_settled(stage), READY_SECONDS)
    return stage


async def _signers(scene: Scene) -> Signers:
    return await add_clients(scene.settings(scene.database_url), ACCOUNTS) if scene.signing else Signers()


def _behind(proxies: Mapping[int, TcpProxy], broker: Broker) -> Broker:
    return Broker(",".join(proxy.address for proxy in proxies.values()), broker.prefix)


async def _member(
    stack: AsyncExitStack, scene: Scene, roles: str, cast: Cast, directory: Path, broker: Broker | None
) -> Member:
    where = urlsplit(scene.database_url)
    proxy = await stack.enter_async_context(TcpProxy(LOOPBACK, where.port or 5432))
    url = urlunsplit(where._replace(netloc=f"{where.username}@{proxy.address}"))
    clock = None if cast.clocks is None else directory / f"clock-{proxy.port}"
    own_time = faketime.environment(cast.clocks, clock) if cast.clocks and clock else {}
    return Member(Service({**scene.settings(url, broker), **own_time}, directory, roles, cast.command), proxy, clock)


async def _is_settled(stage: Stage) -> bool:
    reached = stage.witness.command_ends()
    return sum(reached.values()) >= len(ACCOUNTS) * len(_LOCATIONS) and not await stage.left_to_do()
