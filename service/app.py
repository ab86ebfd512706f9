"""Composition root: settings become parts, and FastStream runs them from start to drain.

FastStream is the application: it handles signals, starts and stops the broker's subscriber and calls the hooks here.
Start: probes -> schema check -> relay and clock -> wait for Kafka and look at its topics -> other worker processes ->
subscriber. Stop: drain the batch -> subscriber -> other worker processes -> relay (which publishes what was committed
last) -> clock -> traces -> pool.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from faststream import FastStream

from service import kafka_bootstrap, kafka_metadata, kafka_on_uvloop
from service.backoff import Backoff
from service.clock.clock import Clock
from service.consume.quiet import quieten
from service.crew import Crew, Seat
from service.errors import SchemaMismatch
from service.parts import STUCK_SECONDS, Parts
from service.relay.relay import Relay
from service.settings import Settings
from service.store.lease import wait_for_event
from service.store.migrate import check
from service.store.pool import OUTAGE_ERRORS, make_pool
from service.telemetry.traces import open_traces
from service.telemetry.watchdog import Watchdog
from service.trust.sealing import load_sealer

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker

log = logging.getLogger(__name__)

ROLES: Final = ("worker", "relay", "clock")
RELAY_STOP_SECONDS: Final = 15.0


class Application(FastStream):
    """FastStream's application, which tells those who wait during the start, and other processes, that it is to end."""

    def __init__(self, *brokers: "KafkaBroker", leaving: asyncio.Event, company: Crew | Seat, **options: Any) -> None:
        super().__init__(*brokers, **options)
        self._leaving = leaving
        self._company = company

    def exit(self) -> None:
        """Ends the application; called by SIGTERM and Ctrl-C."""
        self._leaving.set()
        self._company.leave()
        super().exit()

    async def start(self, **run_extra_options: Any) -> None:
        """Starts the broker, where there is one: without a worker the lifespan runs all there is."""
        if self.brokers:
            await super().start(**run_extra_options)


def build_app(
    settings: Settings, roles: frozenset[str], company: Crew | Seat | None = None
) -> tuple[FastStream, Parts]:
    """Wires the roles into a FastStream application; call it inside the loop. Raises SettingsError.

    `company` are the processes beside this one.
    """
    kafka_on_uvloop.install()
    kafka_metadata.install()
    kafka_bootstrap.install()
    database_url = settings.database_url.get_secret_value()
    pool = make_pool(database_url)
    company = company or Crew()
    traces = open_traces(os.environ, settings.topic_prefix, settings.group_id)
    parts, wake = Parts(pool, traces=traces), asyncio.Event()
    if "relay" in roles:
        parts.relay = Relay(
            database_url=database_url,
            options=settings.kafka_options(),
            wake=wake,
            prefix=settings.topic_prefix,
            idempotent=settings.kafka_idempotence,
            meters=parts.meters,
            traces=traces,
        )
    if "clock" in roles:
        parts.clock = Clock(
            database_url=database_url, wake=wake.set, meters=parts.meters, inbox_retention=settings.inbox_retention
        )
    if "worker" in roles:
        wake_relay = company.wake if isinstance(company, Seat) else wake.set
        # Imported here: a relay or a clock that stands alone, which others may wait for, begins without all this.
        from service.worker import build_consumer  # noqa: PLC0415

        parts.consumer = build_consumer(settings, parts, wake_relay, company.number)
    parts.watch()
    return _application(settings, parts, company, wake.set), parts


def _application(settings: Settings, parts: Parts, company: Crew | Seat, wake: Callable[[], None]) -> FastStream:
    leaving = asyncio.Event()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        quieten()
        watchdog = Watchdog(asyncio.get_running_loop(), parts.not_live, STUCK_SECONDS)
        async with company.served(parts, settings), parts.pool, watchdog:
            try:
                if await _schema_is_there(settings, leaving):
                    await _keys_are_there(settings, parts)
                    _start_loops(parts)
                yield
            finally:
                await company.end()
                await _stop_loops(parts)

    async def others_begin() -> None:
        if isinstance(company, Crew) and not leaving.is_set():
            from service.worker import refuse_unfit_topics  # noqa: PLC0415

            await refuse_unfit_topics(settings)
            await company.begin(app.exit, wake)

    consumer, hooks = parts.consumer, dict[str, Any]()
    if consumer is not None:
        from service.worker import hooks_of  # noqa: PLC0415

        hooks = hooks_of(consumer, others_begin)
    brokers = [] if consumer is None else [consumer.broker]
    app = Application(*brokers, lifespan=lifespan, logger=log, leaving=leaving, company=company, **hooks)
    return app


async def _schema_is_there(settings: Settings, leaving: asyncio.Event) -> bool:
    """Waits for PostgreSQL as long as it takes; False when the process is to end before.

    Raises SchemaMismatch when the database is not migrated to this version.
    """
    told, backoff = False, Backoff()
    while not leaving.is_set():
        try:
            missing = await check(settings.database_url.get_secret_value())
        except OUTAGE_ERRORS as error:
            if not told:
                log.warning("waiting for PostgreSQL: %s", error)
                told = True
            await wait_for_event(leaving, backoff.next())
            continue
        if missing:
            raise SchemaMismatch(f"the database lacks {', '.join(missing)}; run `bookstream migrate` first")
        return True
    return False


async def _keys_are_there(settings: Settings, parts: Parts) -> None:
    """Raises SettingsError when secrets in the database can't be opened with the keys that are set."""
    if parts.consumer is not None:
        async with parts.pool.acquire() as connection:
            await load_sealer(connection, settings.master_keys)


def _start_loops(parts: Parts) -> None:
    if parts.relay is not None:
        parts.tasks.append(asyncio.create_task(parts.relay.run(), name="relay"))
    if parts.clock is not None:
        parts.tasks.append(asyncio.create_task(parts.clock.run(), name="clock"))
    parts.begin()


async def _stop_loops(parts: Parts) -> None:
    """The consumer has been drained: the relay gets a moment to publish what that left."""
    parts.ending = True
    for part in (parts.clock, parts.relay):
        if part is not None:
            part.stop()
    for task in parts.tasks:
        try:
            async with asyncio.timeout(RELAY_STOP_SECONDS):
                await asyncio.gather(task, return_exceptions=True)
        except TimeoutError:
            log.warning("the %s did not stop in time", task.get_name())
    await parts.end()
    if parts.traces is not None:
        await parts.traces.close()
