"""One batch of records, one transaction: the numbered list of what the service does."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from service.decode.record import decode
from service.decode.replay import as_at_first
from service.domain.graph import Graph
from service.domain.instants import instant_text
from service.errors import PartitionLost, Paused, StoreUnavailable
from service.handle.answer import Answers
from service.handle.attempt import Attempt
from service.handle.decided import Decided
from service.handle.limits import admit
from service.handle.progress import move_progress
from service.handle.stop import WHO, Outcomes, broken_ones
from service.handle.strangers import Strangers, is_stranger
from service.handle.tally import Tally, expect, tell
from service.handle.traced import spans_of
from service.links.keys import LinkKeys
from service.outbox.append import append
from service.outbox.dead_letter import dead_letter_row
from service.received import DeadLetter, Received
from service.record import Record, Span
from service.store.pause import begin_pause
from service.store.pool import OUTAGE_ERRORS, RACE_ERRORS
from service.telemetry.meters import Meters
from service.telemetry.names import BATCH_RETRIES, UNANSWERED
from service.telemetry.pulse import Pulse
from service.telemetry.traces import Traces
from service.trust.clients import Clients, NotKnownYet
from service.turn import Turn

log = logging.getLogger(__name__)

RACES: Final = 5
# Of refusals, which have none.
NO_EPOCH: Final = 0
# For so many batches after a repeat the inbox is asked before anything is decided.
WARY_BATCHES: Final = 100


def _parted(decoded: Iterable[Received | DeadLetter]) -> tuple[list[Received], list[Received], list[DeadLetter]]:
    commands: list[Received] = []
    strangers: list[Received] = []
    letters: list[DeadLetter] = []
    for item in decoded:
        if isinstance(item, DeadLetter):
            letters.append(item)
        elif is_stranger(item):
            strangers.append(item)
        else:
            commands.append(item)
    return commands, strangers, letters


class BatchTransaction:
    """Applies batches of records; safe to call again with the same batch after any failure."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        graphs: Mapping[str, Graph],
        *,
        reply_topics: frozenset[str],
        clock: Callable[[], datetime],
        stop_ratio: float = 1,
        clients: Clients | None = None,
        meters: Meters | None = None,
        pulse: Pulse | None = None,
        traces: Traces | None = None,
        link_keys: LinkKeys | None = None,
    ) -> None:
        """With `clients` commands have to be signed.

        More than the share `stop_ratio` of commands that break a rule of ours pauses consumption; 1 is never. `meters`
        count what is committed, `traces` tell of it; `pulse` beats at each step; `link_keys` sign links.
        """
        self._pool = pool
        self._graphs = graphs
        self._reply_topics = reply_topics
        self._clock = clock
        self._outcomes = Outcomes(stop_ratio)
        self._clients = clients
        self._link_keys = link_keys or LinkKeys()
        self._answers = Answers(graphs, NO_EPOCH, self._link_keys)
        self._strangers = Strangers(self._answers)
        self._meters = meters or Meters()
        self._pulse = pulse or Pulse()
        self._traces = traces
        self._wary = 0
        expect(self._meters)

    async def __call__(
        self, records: Sequence[Record], spans: Sequence[Span], nearly_done: Callable[[], None] = lambda: None
    ) -> None:
        """Applies a batch whole or not at all; raises PartitionLost, Paused or StoreUnavailable.

        `nearly_done` is called when commands are decided and only have to be written; again when that fails.
        """
        await self._ask(self._link_keys.refresh)
        # 1. command -> decode -> authenticate
        decoding = Tally(self._pulse)
        decoded = await self._decode_all(records)
        decoding.lap("decode")
        commands, strangers, letters = _parted(decoded)
        for _ in range(RACES):
            tally = Tally(self._pulse, nearly_done)
            tally.steps["decode"] = decoding.steps["decode"]
            tally.laps += decoding.laps
            try:
                decided, refused = await self._transact(commands, strangers, letters, spans, tally)
            except RACE_ERRORS as error:
                self._retried("race")
                log.info("the batch met another transaction and is tried again: %s", error)
            except OUTAGE_ERRORS as error:
                self._retried("unavailable")
                raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
            except Paused:
                raise
            except Exception as error:
                self._retried("partition_lost" if isinstance(error, PartitionLost) else "failed")
                raise
            else:
                now = self._clock()
                self._meters.add(UNANSWERED, self._strangers.given(refused, now))
                tell(self._meters, tally, [*decided, *refused], letters, now.timestamp())
                if self._traces is not None:
                    self._traces.batch(tally.laps, len(records), spans_of(decided))
                return
        raise StoreUnavailable("the batch met other transactions again and again")

    def _retried(self, cause: str) -> None:
        self._meters.add(BATCH_RETRIES, 1, cause)

    async def _decode_all(self, records: Sequence[Record]) -> list[Received | DeadLetter]:
        """Decodes records; those of clients that are met for the first time once these have been read."""
        if self._clients is not None:
            await self._ask(self._clients.refresh)
        decoded, strange = await self._decode_known(records)
        if strange and self._clients is not None:
            await self._ask(self._clients.learn)
            found, unknown = await self._decode_known([records[place] for place in strange])
            if unknown:
                raise StoreUnavailable("a batch has more clients than can be known at once")
            for place, item in zip(strange, found, strict=True):
                decoded[place] = item
        return [item for item in decoded if item is not None]

    async def _ask(self, ask: "Callable[[asyncpg.Pool[asyncpg.Record]], Awaitable[None]]") -> None:
        """Without PostgreSQL nobody can tell who somebody is: the batch waits, and nobody is refused for it."""
        try:
            await ask(self._pool)
        except OUTAGE_ERRORS as error:
            self._retried("unavailable")
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    async def _decode_known(self, records: Sequence[Record]) -> tuple[list[Received | DeadLetter | None], list[int]]:
        """Gives the places of records whose clients have to be read first; their items are None."""
        decoded: list[Received | DeadLetter | None] = []
        strange, turn = [], Turn()
        for place, record in enumerate(records):
            try:
                decoded.append(self._decode(record))
            except NotKnownYet:
                decoded.append(None)
                strange.append(place)
            if turn.over:
                await turn.pass_on()
        return decoded, strange

    def _decode(self, record: Record) -> Received | DeadLetter:
        """A record that breaks the decoder is a dead letter of its own; its neighbours go on."""
        first = as_at_first(record)
        if isinstance(first, DeadLetter):
            return first
        try:
            return decode(first, self._reply_topics, self._link_keys.ring.secrets, self._clients)
        except NotKnownYet:
            raise
        except Exception as error:
            log.exception("decoding %s/%d/%d failed", record.topic, record.partition, record.offset)
            return DeadLetter(first, "internal_error", f"{type(error).__name__}: the record broke the decoder")

    async def _transact(
        self,
        commands: Sequence[Received],
        strangers: Sequence[Received],
        letters: Sequence[DeadLetter],
        spans: Sequence[Span],
        tally: Tally,
    ) -> tuple[list[Decided], list[Decided]]:
        """Gives what was decided, and what strangers were told."""
        now = self._clock()
        decided: list[Decided] = []
        refused = self._strangers.refuse(strangers, now)
        async with self._pool.acquire() as connection, connection.transaction():
            # 2. progress: a process that lost its partition ends here, and while consumption is paused every one
            moved = await move_progress(connection, spans)
            tally.lap("progress")
            # 3. limits of clients
            admission = await admit(connection, commands)
            over = [self._answers.refused(received, told, None) for received, told in admission.refused]
            tally.lap("limits")
            # 4. [dedupe -> load -> decide -> save where version = expected -> outbox]
            if admission.admitted:
                answers = Answers(self._graphs, moved.epoch, self._link_keys)
                attempt = Attempt(connection, self._graphs, answers, now, tally, wary=self._wary > 0)
                decided = await attempt.apply(admission.admitted)
                self._wary = WARY_BATCHES if attempt.wary else max(0, self._wary - 1)
            # 5. what is no command, or nobody's, or too much -> outbox
            rows = [dead_letter_row(letter, instant_text(now)) for letter in letters]
            await append(connection, [*rows, *(row for each in (*over, *refused) for row in each.rows)])
            tally.lap("outbox")
            # 6. too many that broke a rule of ours -> a pause, in all processes
            broken = broken_ones(decided, letters)
            if reason := self._outcomes.too_many(moved.pause_id, broken):
                log.error("consumption is paused: %s", reason)
                await begin_pause(connection, reason, WHO)
        tally.lap("commit")
        self._outcomes.committed(moved.pause_id, broken)
        return [*decided, *over], refused
