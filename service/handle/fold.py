"""Step 6: decides the commands of a batch in their order, in memory; each sees what those before it changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from service.domain.actor import Actor
from service.domain.commands import StateAction
from service.domain.decide import decide, target
from service.domain.graph import Graph
from service.domain.instants import instant_text
from service.domain.model import Aggregate, Decision, Reason, Refused
from service.handle.answer import Answers
from service.handle.decided import Decided
from service.handle.dedupe import MemoryKey
from service.handle.loaded import GroupKey, Loaded, TimerKey
from service.handle.memory import Memory
from service.handle.working import AccountView, Working
from service.received import Question, Received
from service.turn import Turn


class Fold:
    """Decides one batch over what was loaded for it; use it once."""

    def __init__(
        self,
        loaded: Loaded,
        memories: Mapping[MemoryKey, Memory],
        graphs: Mapping[str, Graph],
        answers: Answers,
        clock: datetime,
    ) -> None:
        self.working = Working(loaded, graphs)
        self._memories = dict(memories)
        self._answers = answers
        self._clock = clock

    async def decide_all(self, commands: Sequence[Received]) -> list[Decided]:
        """Decides every command, in order."""
        decisions, turn = [], Turn()
        for received in commands:
            key = received.memory_key
            decided = self._decide_safely(received, self._memories.get(key))
            if decided.memory is not None:
                self._memories[key] = decided.memory
            decisions.append(decided)
            if turn.over:
                await turn.pass_on()
        return decisions

    def _decide_safely(self, received: Received, memory: Memory | None) -> Decided:
        try:
            return self._decide(received, memory)
        except Exception as error:  # noqa: BLE001 - a broken rule is this command's alone, whatever it raises
            return self._answers.broken(received, error, instant_text(self._clock))

    def _decide(self, received: Received, memory: Memory | None) -> Decided:
        # 1. decided before? then the first answer stands, and other content under the same id is refused
        body = received.body
        if isinstance(body, Refused) and body.reason is Reason.SCOPE_DENIED:
            return self._answers.refused(received, body, None, remembered=memory is None)
        if memory is not None and memory.content_hash == received.content_hash:
            return self._answers.again(received, memory)
        # 2. refused for what it says
        if isinstance(body, Refused):
            return self._answers.refused(received, body, None, remembered=memory is None)
        if memory is not None:
            reuse = Refused(Reason.COMMAND_ID_REUSE)
            return self._answers.refused(received, reuse, self._visible(body), remembered=False)
        # 3. a timer that is gone has nothing to say
        is_own = body.context.actor is Actor.SYSTEM
        timer = self._timer(received, body) if is_own else None
        if is_own and timer is None:
            return Decided(received)
        # 4. too late
        expires_at = received.envelope.expires_at
        if expires_at is not None and expires_at < self._clock:
            return self._answers.refused(received, Refused(Reason.EXPIRED), self._visible(body))
        # 5. the rules
        return self._ask(received, body, timer)

    def _ask(self, received: Received, question: Question, timer: TimerKey | None) -> Decided:
        view = AccountView(self.working, question.context.account_id)
        decided = self._answer(received, question, decide(view, question.command, question.context))
        decided.bumped, decided.spent, decided.touched = _bumped(view, decided), timer, view.touched
        self.working.apply(decided.changes, decided.bumped)
        return decided

    def _answer(self, received: Received, question: Question, decision: Decision) -> Decided:
        if isinstance(decision, Refused):
            return self._answers.refused(received, decision, self._visible(question))
        states = self._answers.encode_states(received, decision.changes)
        if isinstance(states, Refused):
            return self._answers.refused(received, states, self._visible(question))
        if question.validate_only:
            return self._answers.validated(received, decision, states)
        return self._answers.accepted(received, question, decision, states, self.working.settings_of)

    def _visible(self, question: Question) -> Aggregate | None:
        kind, aggregate_id = target(question.command)
        return self.working.find((question.context.account_id, kind, aggregate_id))

    def _timer(self, received: Received, question: Question) -> TimerKey | None:
        """Gives the timer that proves a command of the service itself, if it is still there."""
        command = question.command
        if not isinstance(command, StateAction) or command.action is None:
            return None
        key = (question.context.account_id, command.kind, command.target_id, command.action)
        return key if self.working.timer(key) == received.envelope.id else None


def _bumped(view: AccountView, decided: Decided) -> tuple[GroupKey, ...]:
    """An action that changed siblings moves their groups on, so that no new member slips through it."""
    if len(decided.changes) == 0 or not view.groups_read:
        return ()
    return tuple(dict.fromkeys(view.groups_read))
