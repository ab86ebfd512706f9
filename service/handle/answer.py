"""Turns a decision into what is published and remembered: events, results, the memory of the command."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from schemas.headers import COMMAND_RESULTS
from service.compact_json import compact_json
from service.domain.actor import Actor
from service.domain.graph import Graph
from service.domain.model import Accepted, Aggregate, Changed, Fault, Members, Reason, Refused
from service.handle.decided import Decided
from service.handle.memory import Memory, answer_again, remember_acceptance, remember_refusal
from service.links.keys import LinkKeys
from service.outbox.dead_letter import dead_letter_row
from service.outbox.event import Cause, event_row
from service.outbox.links import links_of
from service.outbox.result import Outcome, acceptance_body, refusal_body, result_row, sibling_member
from service.outbox.row import Row
from service.received import DeadLetter, Question, Received
from service.telemetry import names

log = logging.getLogger(__name__)

MAX_STATE_BYTES = 128 * 1024
# A repeat of these is decided anew: the sender may have been let in, or the defect mended, meanwhile.
UNAUTHENTICATED = frozenset(
    {Reason.INVALID_API_KEY, Reason.API_CONFIG_INACTIVE, Reason.INVALID_SIGNATURE, Reason.STALE_SIGNATURE}
)
RATE_LIMITED = frozenset({Reason.BURST_LIMIT_EXCEEDED, Reason.DAILY_QUOTA_EXCEEDED})
NOT_REMEMBERED = UNAUTHENTICATED | RATE_LIMITED | {Reason.INTERNAL_ERROR}
ROOTS = {"create-booking": "/booking", "create-visit": "/visit", "configure-location": "/settings"}


class Answers:
    """Encodes decisions; holds what all encodings need."""

    def __init__(self, graphs: Mapping[str, Graph], epoch: int, link_keys: LinkKeys) -> None:
        self._graphs = graphs
        self._epoch = epoch
        self._link_keys = link_keys

    def encode_states(self, received: Received, changes: tuple[Changed, ...]) -> tuple[bytes, ...] | Refused:
        """Encodes the snapshots, none of which may be too large."""
        states = tuple([compact_json(changed.after.snapshot) for changed in changes])
        if states and max(map(len, states)) > MAX_STATE_BYTES:
            root = ROOTS.get(received.envelope.type, "/patch")
            return Refused(Reason.INVALID_FIELD, (Fault(root, "the whole state would be larger than 128 KiB"),))
        return states

    def refused(
        self, received: Received, refused: Refused, found: Aggregate | None, *, remembered: bool = True
    ) -> Decided:
        """A refusal is always published, and remembered unless it isn't final; who proves nothing is told nothing."""
        if refused.reason in UNAUTHENTICATED:
            found = None
        graph = None if found is None or found.kind == "location" else self._graphs[found.snapshot["graph"]]
        body = refusal_body(received, refused, found, graph)
        row = result_row(
            received, body, accepted=False, correlation=received.envelope.correlation, topic=COMMAND_RESULTS
        )
        keep = remembered and refused.reason not in NOT_REMEMBERED
        return Decided(
            received,
            rows=(row,),
            memory=remember_refusal(received, body) if keep else None,
            outcome=names.REFUSED,
            refusal=refused.reason,
        )

    def broken(self, received: Received, error: BaseException, failed_at: str) -> Decided:
        """A rule of ours broke: the command is answered and kept as a dead letter, and may be sent again."""
        log.error("deciding %s of %s failed", received.envelope.type, received.envelope.id, exc_info=error)
        answer = self.refused(received, Refused(Reason.INTERNAL_ERROR), None)
        told = f"{type(error).__name__}: the command broke a rule of ours"
        client = None if received.client is None else received.client.client_id
        letter = DeadLetter(received.record, "internal_error", told, client)
        answer.rows = (*answer.rows, dead_letter_row(letter, failed_at))
        return answer

    def again(self, received: Received, memory: Memory) -> Decided:
        """The same command was decided before: the first answer stands."""
        row = answer_again(received, memory)
        return Decided(received, rows=() if row is None else (row,), outcome=names.REPEATED)

    def accepted(
        self,
        received: Received,
        question: Question,
        accepted: Accepted,
        states: tuple[bytes, ...],
        settings_of: Callable[[Aggregate], Members],
    ) -> Decided:
        """Events for what changed, an acceptance where it was asked for; `settings_of` are those of its location."""
        cause = Cause(received, question, self._epoch)
        events = [
            self._event(changed, state, cause, settings_of(changed.after))
            for changed, state in zip(accepted.changes, states, strict=True)
            if changed.after.kind != "location"
        ]
        changed_itself = _own_change(accepted) is not None
        name = names.APPLIED if changed_itself else names.UNCHANGED
        outcome = self._outcome(name, accepted)
        return Decided(
            received,
            changes=accepted.changes,
            states=states,
            rows=(*events, *self._acceptance(received, outcome)),
            memory=remember_acceptance(received, outcome),
            outcome=name,
        )

    def _event(self, changed: Changed, state: bytes, cause: Cause, settings: Members) -> Row:
        graph = self._graphs[changed.after.snapshot["graph"]]
        links = links_of(changed, settings, graph, self._link_keys.ring, cause.question.context.now)
        return event_row(changed, state, cause, graph, links)

    def validated(self, received: Received, accepted: Accepted, states: tuple[bytes, ...]) -> Decided:
        """A dry run tells the outcome, stores nothing and is remembered."""
        outcome = self._outcome(names.VALIDATED, accepted)
        change = _own_change(accepted)
        state = states[0] if change else orjson.dumps(accepted.state.snapshot)
        changes = {name: list(pair) for name, pair in change.told.items()} if change else {}
        shown = "settings" if received.kind == "location" else received.kind
        outcome["preview"] = {shown: orjson.Fragment(state), "changes": changes}
        outcome = orjson.loads(orjson.dumps(outcome))
        rows = self._acceptance(received, outcome)
        return Decided(received, rows=rows, memory=remember_acceptance(received, outcome), outcome=names.VALIDATED)

    def _outcome(self, name: str, accepted: Accepted) -> Outcome:
        state = accepted.state
        outcome: dict[str, Any] = {"outcome": name, "version": state.version}
        if state.kind == "location":
            outcome |= {"state": None, "completed": False, "available_actions": []}
        else:
            graph, current = self._graphs[state.snapshot["graph"]], state.snapshot["state"]
            outcome["state"] = current
            outcome["completed"] = graph.states[current].final
            outcome["available_actions"] = graph.available(current, Actor.EXTERNAL)
        if accepted.deprecated:
            outcome["deprecated"] = accepted.deprecated
        if accepted.siblings:
            outcome["siblings"] = [sibling_member(sibling) for sibling in accepted.siblings]
        return outcome

    @staticmethod
    def _acceptance(received: Received, outcome: Outcome) -> tuple[Any, ...]:
        envelope = received.envelope
        if envelope.reply_to is None:
            return ()
        body = acceptance_body(received, outcome)
        return (result_row(received, body, accepted=True, correlation=envelope.correlation, topic=envelope.reply_to),)


def _own_change(accepted: Accepted) -> Changed | None:
    """The change of the command's own aggregate comes first, where there is one."""
    first = accepted.changes[0] if accepted.changes else None
    return first if first is not None and first.after is accepted.state else None
