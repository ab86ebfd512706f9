from datetime import timedelta
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.domain.actor import Actor
from service.domain.instants import instant_text
from service.domain.model import Reason
from tests.support.builders import NOW, act, booking, location, update
from tests.support.spec import Given, When, given
from tests.support.strategies import TAGS, actors

LEVELS: Final = {
    "registered": 0,
    "unconfirmed": 1,
    "confirmed": 2,
    "waiting": 3,
    "seated": 4,
    "bill_printed": 5,
    "closed": 6,
    "no_show": 6,
    "cancelled": 6,
}
MOVES: Final = {
    "request_confirmation": ("unconfirmed", {Actor.EXTERNAL}),
    "confirm": ("confirmed", {Actor.EXTERNAL}),
    "wait": ("waiting", {Actor.INTERNAL, Actor.SYSTEM}),
    "seat": ("seated", {Actor.INTERNAL, Actor.SYSTEM}),
    "print_bill": ("bill_printed", {Actor.INTERNAL, Actor.SYSTEM}),
    "close": ("closed", {Actor.INTERNAL, Actor.SYSTEM}),
    "mark_no_show": ("no_show", {Actor.INTERNAL, Actor.SYSTEM}),
    "cancel": ("cancelled", set(Actor)),
}
OUTSIDE: Final = {Actor.EXTERNAL, Actor.CUSTOMER}
BUDGET: Final = 3
WINDOW: Final = 60


class VenueBooking(RuleBasedStateMachine):
    """A venue booking beside a model that knows nothing of graphs, patches or snapshots."""

    one: Given

    @initialize()
    def begin(self) -> None:
        """A booking that may be edited three times, until an hour before it starts."""
        policy = {"max_changes": BUDGET, "before_edit_minutes": WINDOW}
        self.one = given(location(customer_policy=policy), booking())
        self.state, self.version, self.left, self.notes = "registered", 1, BUDGET, ""
        self.tags: set[str] = set()
        self.now, self.touched = NOW, NOW

    def _locked_out(self, actor: Actor) -> Reason | None:
        level = LEVELS[self.state]
        if level >= 6:
            return Reason.READ_ONLY
        return Reason.BLOCKED if level >= 3 and actor in OUTSIDE else None

    def _carry_on(self, when: When) -> None:
        self.one = Given(when.after)
        self.version += 1
        self.touched = max(self.touched, self.now)

    def _edit(self, actor: Actor, when: When, *, real: bool, over: bool = False) -> bool:
        """Whether the edit was accepted and real; every other outcome is checked here."""
        bound = actor in OUTSIDE
        reason = self._locked_out(actor)
        if reason is None and bound and self.now >= NOW + timedelta(hours=24, minutes=-WINDOW):
            reason = Reason.BEFORE_EDIT_BOOKING
        if reason is None and bound and real and self.left == 0:
            reason = Reason.MAX_CHANGES
        if reason is not None:
            when.then_refused(reason)
            return False
        if over:
            when.then_refused(Reason.INVALID_FIELD, "/patch/add_tags")
            return False
        if not real:
            when.then_nothing_happened()
            return False
        self.left -= bound
        self._carry_on(when)
        return True

    @rule(actor=actors, notes=st.sampled_from(["a", "b", "c"]))
    def write(self, actor: Actor, notes: str) -> None:
        """A note replaces the one before."""
        when = self.one.when(update(notes=notes), actor=actor, now=self.now)
        if self._edit(actor, when, real=notes != self.notes):
            self.notes = notes

    @rule(
        actor=actors, add=st.sets(st.sampled_from(TAGS), max_size=6), remove=st.sets(st.sampled_from(TAGS), max_size=3)
    )
    def tag(self, actor: Actor, add: set[str], remove: set[str]) -> None:
        """Tags are a set of at most ten."""
        after = (self.tags | add) - remove
        when = self.one.when(update(add_tags=sorted(add), remove_tags=sorted(remove)), actor=actor, now=self.now)
        if self._edit(actor, when, real=after != self.tags, over=len(after) > 10):
            self.tags = after

    @rule(actor=actors, action=st.sampled_from(sorted(MOVES)))
    def move(self, actor: Actor, action: str) -> None:
        """Access class, then the sender, then the level."""
        target, senders = MOVES[action]
        reason = self._locked_out(actor)
        if reason is None and actor not in senders:
            reason = Reason.ACTOR_NOT_ALLOWED
        if reason is None and LEVELS[target] <= LEVELS[self.state]:
            reason = Reason.LEVEL_NOT_INCREASING
        when = self.one.when(act(action), actor=actor, now=self.now)
        if reason is not None:
            when.then_refused(reason)
            return
        self.state = target
        self._carry_on(when)

    @rule(expected=st.integers(1, 20))
    def expect(self, expected: int) -> None:
        """Only the current version passes."""
        when = self.one.when(update(), actor=Actor.INTERNAL, expected_version=expected)
        if expected != self.version:
            when.then_refused(Reason.VERSION_CONFLICT)

    @rule(minutes=st.sampled_from([-30, 1, 60, 600]))
    def pass_time(self, minutes: int) -> None:
        """Append times may come out of order."""
        self.now += timedelta(minutes=minutes)

    @invariant()
    def the_booking_is_what_the_model_says(self) -> None:
        """State, version, budget, tags and time agree."""
        found = self.one.world.aggregates["booking", "b1"]
        snapshot = found.snapshot
        assert found.version == self.version
        assert (snapshot["state"], snapshot["changes_left"]) == (self.state, self.left)
        assert snapshot["notes"] == (self.notes or None)
        assert sorted(snapshot["tags"]) == sorted(self.tags)
        assert snapshot["updated_at"] == instant_text(self.touched)
        assert snapshot["created_at"] == instant_text(NOW)


TestVenueBooking = VenueBooking.TestCase
TestVenueBooking.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
