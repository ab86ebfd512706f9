"""Steps 5 to 8 for a run of commands, and what is done when others were faster or one of the commands breaks it.

- Repeats: remembering shows them, since a row of the inbox is there already. Where that happens, or a decision is not
  one that is remembered, the run is decided again with what the inbox holds; a wary attempt looks there first.
- Lost races: only the commands that looked at what was lost are loaded and decided again; after a few rounds the rows
  are locked in the order of their keys instead.
- A statement that the database refuses for its data (a constraint, a value it can't hold): the run is halved until
  the command that breaks it stands alone and is answered with `internal_error`; its neighbours are applied.
  So is a run whose claims don't settle.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from service.domain.graph import Graph
from service.domain.instants import instant_text
from service.handle.answer import Answers
from service.handle.closure import split, ties
from service.handle.decided import Decided
from service.handle.dedupe import recall, remember
from service.handle.fold import Fold
from service.handle.load import load
from service.handle.load_visits import count_active_visits
from service.handle.loaded import Loaded
from service.handle.save import Lost, save
from service.handle.slots import load_holdings
from service.handle.tally import Tally
from service.handle.unsettled import ClaimsUnsettledError, RacesLostError, RepeatsMetError, UnsettledError
from service.outbox.append import append
from service.received import Question, Received
from service.store.pool import DATA_ERRORS, Connection

log = logging.getLogger(__name__)

OPTIMISTIC_ROUNDS: Final = 3
LOCKED_ROUNDS: Final = 3
CLAIM_ROUNDS: Final = 10


class Attempt:
    """Applies runs of commands on one connection, inside the caller's transaction.

    `wary` asks for the memory of every command before it is decided, which repeats make worth while; afterwards it
    tells whether there was reason for it.
    """

    def __init__(
        self,
        connection: Connection,
        graphs: Mapping[str, Graph],
        answers: Answers,
        clock: datetime,
        tally: Tally,
        *,
        wary: bool = True,
    ) -> None:
        self._connection = connection
        self._graphs = graphs
        self._answers = answers
        self._clock = clock
        self._tally = tally
        self._recalls = wary
        self.wary = False

    async def apply(self, commands: Sequence[Received]) -> list[Decided]:
        """Applies commands in their order; a command that breaks a statement is found and answered alone."""
        done: list[Decided] = []
        waiting = commands
        for round_number in range(OPTIMISTIC_ROUNDS + LOCKED_ROUNDS):
            try:
                winners, losers = await self._round(waiting, lock=round_number >= OPTIMISTIC_ROUNDS)
            except (*DATA_ERRORS, UnsettledError) as error:
                return [*done, *await self._halve(waiting, error)]
            done += winners
            if not losers:
                return done
            log.info("%d of %d commands lost a race and are decided again", len(losers), len(waiting))
            self._tally.redecided += len(losers)
            waiting = [decided.received for decided in losers]
        return [*done, *await self._halve(waiting, RacesLostError(f"{len(waiting)} commands lost every race"))]

    async def _halve(self, commands: Sequence[Received], error: Exception) -> list[Decided]:
        """Nothing of these commands was saved: they are applied half by half, down to the one that breaks."""
        if len(commands) == 1:
            broken = self._answers.broken(commands[0], error, instant_text(self._clock))
            await append(self._connection, broken.rows)
            return [broken]
        log.warning("a run of %d commands can't be applied whole, halving it: %s", len(commands), error)
        middle = len(commands) // 2
        return [*await self.apply(commands[:middle]), *await self.apply(commands[middle:])]

    async def _round(self, commands: Sequence[Received], *, lock: bool) -> tuple[list[Decided], list[Decided]]:
        """Decides and saves; a set that meets a lost race is rolled back and saved without the losers.

        The savepoint is never released: the end of the transaction does that without a round trip.
        """
        await self._connection.execute("SAVEPOINT round")
        losers: list[Decided] = []
        try:
            loaded, winners = await self._decide(commands, lock=lock)
            while lost := await self._write(winners, loaded):
                self._tally.conflicts += len(lost)
                await self._connection.execute("ROLLBACK TO round")
                lost |= await self._recount(loaded)
                winners, beaten = split(winners, lost)
                if not beaten:
                    raise RacesLostError("a race was lost that no command took part in")
                losers += beaten
        except (*DATA_ERRORS, UnsettledError):
            await self._connection.execute("ROLLBACK TO round")
            if self._recalls:
                raise
            self._recalls = self.wary = True
            return await self._round(commands, lock=lock)
        return winners, losers

    async def _recount(self, loaded: Loaded) -> Lost:
        """The rollback let go of the customers' locks: takes them again, and names the customers that changed since."""
        again = await count_active_visits(self._connection, loaded.active_visits.keys())
        return {
            (account_id, "customer", customer_id)
            for (account_id, location_id, customer_id), visits in again.items()
            if visits != loaded.active_visits[account_id, location_id, customer_id]
        }

    async def _decide(self, commands: Sequence[Received], *, lock: bool) -> tuple[Loaded, list[Decided]]:
        memories = await recall(self._connection, commands) if self._recalls else {}
        self.wary = self.wary or bool(memories)
        self._tally.lap("dedupe")
        questions = [received.body for received in commands if isinstance(received.body, Question)]
        loaded = await load(self._connection, questions, self._graphs, lock=lock)
        self._tally.lap("load")
        for _ in range(CLAIM_ROUNDS):
            fold = Fold(loaded, memories, self._graphs, self._answers, self._clock)
            decisions = await fold.decide_all(commands)
            self._tally.lap("decide")
            if not self._recalls and any(decided.memory is None for decided in decisions):
                self._recalls = self.wary = True
                return await self._decide(commands, lock=lock)
            working = fold.working
            if not working.uncovered and not working.uncounted:
                self._tally.nearly_done()
                return loaded, decisions
            # Claims became known by deciding: look at who holds what there, and decide again.
            counted = await count_active_visits(self._connection, working.uncounted)
            loaded.active_visits = {**loaded.active_visits, **counted}
            loaded.holdings = await load_holdings(self._connection, loaded.holdings, working.uncovered)
            self._tally.lap("load")
        raise ClaimsUnsettledError("each round of deciding made new claims")

    async def _write(self, decisions: Sequence[Decided], loaded: Loaded) -> Lost:
        lost = await save(self._connection, decisions, loaded, self._graphs)
        self._tally.lap("save")
        if lost:
            return lost
        memories = [(d.received.memory_key, d.memory) for d in decisions if d.memory is not None]
        fresh = await remember(self._connection, memories, recalled=self._recalls)
        self._tally.lap("remember")
        if not fresh and not self._recalls:
            raise RepeatsMetError("the inbox knows some of these commands")
        if not fresh:
            # Rare (one id on two partitions): everything is read again, and the memory then answers.
            return {tie for decided in decisions for tie in ties(decided)}
        await append(self._connection, [row for decided in decisions for row in decided.rows])
        self._tally.lap("outbox")
        return set()
