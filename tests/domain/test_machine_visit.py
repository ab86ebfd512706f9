from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.domain.actor import Actor
from service.domain.model import Reason
from tests.support.builders import act, location, patch_visit, reach, visit
from tests.support.spec import Given, When, given
from tests.support.strategies import actors

DATE: Final = "2030-05-01T12:00"
LIVE: Final = {"pending", "draft", "booked", "waiting", "serving"}
SOURCES: Final = {
    "approve": {"draft", "pending"},
    "wait": {"pending", "draft", "booked", "serving"},
    "serve": {"booked", "waiting"},
    "complete": LIVE,
    "cancel": LIVE,
    "mark_no_show": {"booked", "waiting"},
    "expire": {"pending"},
    "restore": {"complete"},
}
TARGETS: Final = {"approve": "booked", "wait": "waiting", "serve": "serving"}
TAGS: Final = {"cancel": "CANCELLED", "mark_no_show": "NO-SHOW", "expire": "EXPIRED"}


def may(actor: Actor, action: str) -> bool:
    """Whether this sender may ever take the action."""
    if actor is Actor.CUSTOMER:
        return action == "cancel"
    if action == "expire":
        return actor is Actor.SYSTEM
    return action != "mark_no_show" or actor is not Actor.EXTERNAL


class Visit(RuleBasedStateMachine):
    """A visit beside a model: a state, a date or none, and the tags in the order they came."""

    one: Given

    @initialize(hold=st.booleans(), approval=st.booleans(), dated=st.booleans())
    def begin(self, hold: bool, approval: bool, dated: bool) -> None:  # noqa: FBT001
        """A visit at a location with its own ways."""
        date = DATE if dated else None
        self.one = given(location(booking_hold=hold, booking_approval=approval), visit(date=date))
        self.dated, self.version = dated, 1
        self.state = ("pending" if hold else "draft" if approval else "booked") if dated else "waiting"
        self.tags: list[str] = []

    def _carry_on(self, when: When) -> None:
        self.one = Given(when.after)
        self.version += 1

    def _target(self, action: str) -> str:
        if action == "restore":
            return "booked" if self.dated else "waiting"
        return TARGETS.get(action, "complete")

    def _leading_to(self, state: str) -> str | None:
        leading = [name for name in SOURCES if self.state in SOURCES[name] and self._target(name) == state]
        return "complete" if "complete" in leading else leading[0] if leading else None

    def _moved(self, action: str) -> None:
        self.state = self._target(action)
        if action in TAGS and TAGS[action] not in self.tags:
            self.tags.append(TAGS[action])

    @rule(actor=actors, action=st.sampled_from(sorted(SOURCES)))
    def move(self, actor: Actor, action: str) -> None:
        """The sender, then what the state offers."""
        when = self.one.when(act(action, "v1"), actor=actor)
        if not may(actor, action):
            when.then_refused(Reason.ACTOR_NOT_ALLOWED)
        elif self.state not in SOURCES[action]:
            when.then_refused(Reason.ACTION_NOT_AVAILABLE)
        else:
            self._moved(action)
            self._carry_on(when)

    @rule(
        actor=actors, state=st.sampled_from([*sorted(LIVE), "complete"]), size=st.integers(1, 3), by_patch=st.booleans()
    )
    def ask_for(self, actor: Actor, state: str, size: int, by_patch: bool) -> None:  # noqa: FBT001
        """A state stands for its action, in a command of its own as in a patch with other members."""
        old = self.one.world.aggregates["visit", "v1"].snapshot["party_size"]
        command = patch_visit(state=state.upper(), party_size=size) if by_patch else reach(state, "v1")
        when = self.one.when(command, actor=actor)
        action = self._leading_to(state)
        if self.state == state:
            if by_patch and size != old:
                when.then(action=None, party_size=size)
                self._carry_on(when)
            else:
                when.then_nothing_happened()
        elif action is None:
            when.then_refused(Reason.ACTION_NOT_AVAILABLE)
        elif not may(actor, action):
            when.then_refused(Reason.ACTOR_NOT_ALLOWED)
        else:
            when.then(action=action, party_size=size if by_patch else old)
            self._moved(action)
            self._carry_on(when)

    @rule(dated=st.booleans())
    def date(self, dated: bool) -> None:  # noqa: FBT001
        """A date is given or taken, and nothing moves."""
        when = self.one.when(patch_visit(date=DATE if dated else None))
        if dated == self.dated:
            when.then_nothing_happened()
            return
        self.dated = dated
        when.then(action=None)
        self._carry_on(when)

    @rule()
    def clear_tags(self) -> None:
        """Tags of actions can be taken away like others."""
        when = self.one.when(patch_visit(remove_tags=list(TAGS.values())))
        if self.tags:
            self._carry_on(when)
        else:
            when.then_nothing_happened()
        self.tags = []

    @invariant()
    def the_visit_is_what_the_model_says(self) -> None:
        """State, version and tags agree, and only a pending visit waits to expire."""
        found = self.one.world.aggregates["visit", "v1"]
        assert found.version == self.version
        assert (found.snapshot["state"], found.snapshot["tags"]) == (self.state, self.tags)
        timers = set(self.one.world.timers["visit", "v1"])
        assert timers == ({"expire"} if self.state == "pending" else set())


TestVisit = Visit.TestCase
TestVisit.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
