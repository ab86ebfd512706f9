"""given(what happened).when(command).then(what follows): rules of the domain as sentences.

Whatever a test is about, every decision is also checked for what always holds.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.domain.actor import Actor
from service.domain.commands import Command, Context, StateAction
from service.domain.decide import decide, target
from service.domain.graph import Graph
from service.domain.instants import instant
from service.domain.model import Accepted, Aggregate, Changed, Decision, Reason, Refused
from tests.support.builders import ACCOUNT, NOW
from tests.support.world import Account, Key

_SENDERS = (Actor.INTERNAL, Actor.EXTERNAL, Actor.SYSTEM)
_BOOKKEEPING = {"created_at", "updated_at", "changes_left"}


def given(*commands: Command, graphs: Mapping[str, Graph] | None = None) -> "Given":
    """An account where these commands were accepted at NOW, each from whoever may send it."""
    world = Account() if graphs is None else Account(graphs)
    for command in commands:
        decisions = [
            decide_soundly(world, command, Context(ACCOUNT, sender, NOW))
            for sender in (_SENDERS if isinstance(command, StateAction) else _SENDERS[:1])
        ]
        accepted = next((one for one in decisions if isinstance(one, Accepted)), None)
        assert accepted is not None, f"{command} was refused: {decisions}"
        world = world.after(accepted)
    return Given(world)


@dataclass(frozen=True, slots=True)
class Given:
    """What is there before a command comes."""

    world: Account

    def when(
        self,
        command: Command,
        *,
        actor: Actor = Actor.EXTERNAL,
        now: datetime = NOW,
        expected_version: int | None = None,
    ) -> "When":
        """Decides a command."""
        decision = decide_soundly(self.world, command, Context(ACCOUNT, actor, now, expected_version))
        return When(self.world, target(command), decision)


@dataclass(frozen=True, slots=True)
class When(Given):
    """What came of a command; `when` goes on from there."""

    key: Key
    decision: Decision

    def when(
        self,
        command: Command,
        *,
        actor: Actor = Actor.EXTERNAL,
        now: datetime = NOW,
        expected_version: int | None = None,
    ) -> "When":
        """Decides the next command, with this one carried out."""
        after = Given(self.world.after(self.decision))
        return after.when(command, actor=actor, now=now, expected_version=expected_version)

    @property
    def accepted(self) -> Accepted:
        """The decision, which must be an acceptance."""
        assert isinstance(self.decision, Accepted), self.decision
        return self.decision

    @property
    def change(self) -> Changed:
        """The change of the command's own aggregate, which must be there."""
        changes = self.accepted.changes
        assert changes, "nothing changed"
        assert (changes[0].after.kind, changes[0].after.id) == self.key
        return changes[0]

    @property
    def snapshot(self) -> Mapping[str, Any]:
        """The state of the command's own aggregate after it."""
        return self.accepted.state.snapshot

    @property
    def after(self) -> Account:
        """The account after the decision."""
        return self.world.after(self.decision)

    @property
    def timers(self) -> Mapping[str, datetime]:
        """The timers of the command's own aggregate after it."""
        return self.after.timers.get(self.key, {})

    def then(self, *, version: int | None = None, changes: Mapping[str, Any] | None = None, **expected: Any) -> "When":
        """One aggregate changed: names of the change (`action`, `from_state`, ...), else members of the state."""
        change = self.change
        assert version in (None, change.after.version)
        if changes is not None:
            assert dict(change.changes) == {name: tuple(pair) for name, pair in changes.items()}
        members = {name: value for name, value in expected.items() if name not in Changed._fields}
        assert {name: getattr(change, name) for name in expected if name not in members} == {
            name: value for name, value in expected.items() if name not in members
        }
        assert {name: change.after.snapshot[name] for name in members} == members
        return self

    def then_refused(self, reason: Reason, *pointers: str) -> "When":
        """The command was refused, for all of these places in it."""
        assert isinstance(self.decision, Refused), self.decision
        found = (self.decision.reason, *sorted(fault.pointer for fault in self.decision.faults))
        assert found == (reason, *sorted(pointers))
        return self

    def then_nothing_happened(self) -> "When":
        """The command was accepted, and it was so already."""
        assert self.accepted.changes == ()
        assert self.accepted.state is self.world.aggregates[self.key]
        return self

    def then_siblings(self, **outcomes: object) -> "When":
        """What became of each sibling: "unchanged", the version it got, or the reason of its refusal."""
        found: dict[str, object] = {}
        for sibling in self.accepted.siblings:
            assert sibling.booking_id not in found
            outcome = sibling.outcome
            applied = sibling.version if outcome == "applied" else outcome
            found[sibling.booking_id] = outcome.reason if isinstance(outcome, Refused) else applied
        assert found == outcomes
        return self


def decide_soundly(world: Account, command: Command, context: Context) -> Decision:
    """Decides, and checks what holds for every decision."""
    before = copy.deepcopy((dict(world.aggregates), command))
    decision = decide(world, command, context)
    assert decide(world, command, context) == decision, "the same question has another answer"
    assert (dict(world.aggregates), command) == before, "deciding changed what it looked at"
    if isinstance(decision, Accepted):
        _check_acceptance(world, command, context, decision)
    else:
        assert all(fault.pointer.startswith("/") for fault in decision.faults)
        assert len({fault.pointer for fault in decision.faults}) == len(decision.faults)
    return decision


def _check_acceptance(world: Account, command: Command, context: Context, accepted: Accepted) -> None:
    changed = [(one.after.kind, one.after.id) for one in accepted.changes]
    assert len(set(changed)) == len(changed), "one aggregate changed twice"
    assert (accepted.state.kind, accepted.state.id) == target(command)
    for change in accepted.changes:
        _check_change(world.find(change.after.kind, change.after.id), change, context)


def _check_change(before: Aggregate | None, change: Changed, context: Context) -> None:
    after = change.after
    old = {} if before is None else before.snapshot
    assert after.version == (0 if before is None else before.version) + 1
    assert after.account_id == context.account_id
    assert change.from_state == old.get("state")
    assert change.changes, "a change that changes nothing"
    assert {name: pair for name, pair in change.changes.items() if pair[0] == pair[1]} == {}
    assert dict(change.changes) == {
        name: (old.get(name), value)
        for name, value in after.snapshot.items()
        if name not in _BOOKKEEPING and old.get(name) != value
    }
    assert (before is None) == (change.action == "create")
    moment = instant(after.snapshot["updated_at"])
    assert moment == (context.now if before is None else max(context.now, instant(old["updated_at"])))
    assert after.snapshot["created_at"] == old.get("created_at", after.snapshot["updated_at"])
    left = after.snapshot.get("changes_left")
    assert left is None or left >= 0


def with_members(world: Account, *aggregates: Aggregate) -> Given:
    """The account with aggregates put in by hand, where making them by commands would take too long."""
    return Given(replace(world, aggregates={**world.aggregates, **{(one.kind, one.id): one for one in aggregates}}))
