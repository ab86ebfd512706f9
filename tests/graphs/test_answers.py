import pytest

from service.domain.actor import Actor
from service.domain.graph import Access, Action, Graph, State
from service.graphs.loader import load_graphs

ALL_STAFF = ("cancel", "close", "mark_no_show", "print_bill", "seat", "wait")

# State, then what an external, a customer and an internal sender (and the system) find on offer.
VENUE = [
    ("registered", ("cancel", "confirm", "request_confirmation"), ("cancel",), ALL_STAFF),
    ("unconfirmed", ("cancel", "confirm"), ("cancel",), ALL_STAFF),
    ("confirmed", ("cancel",), ("cancel",), ALL_STAFF),
    ("waiting", (), (), ("cancel", "close", "mark_no_show", "print_bill", "seat")),
    ("seated", (), (), ("cancel", "close", "mark_no_show", "print_bill")),
    ("bill_printed", (), (), ("cancel", "close", "mark_no_show")),
    ("closed", (), (), ()),
    ("no_show", (), (), ()),
    ("cancelled", (), (), ()),
]


@pytest.mark.parametrize(("state", "external", "customer", "internal"), VENUE)
def test_what_a_venue_offers(
    state: str, external: tuple[str, ...], customer: tuple[str, ...], internal: tuple[str, ...]
) -> None:
    """A venue offers by level, access class and sender, sorted."""
    venue = load_graphs(None)["venue"]
    assert venue.available(state, Actor.EXTERNAL) == external
    assert venue.available(state, Actor.CUSTOMER) == customer
    assert venue.available(state, Actor.INTERNAL) == internal
    assert venue.available(state, Actor.SYSTEM) == internal


@pytest.mark.parametrize(
    ("graph", "state", "actor", "offers"),
    [
        ("instant_payment", "tentative", Actor.EXTERNAL, ("pay",)),
        ("instant_payment", "tentative", Actor.SYSTEM, ("pay", "timeout")),
        ("instant_payment", "paid", Actor.CUSTOMER, ("cancel", "cancel_by_customer")),
        ("group_customer", "confirmed", Actor.EXTERNAL, ("cancel_by_customer", "cancel_by_owner", "complete")),
        ("group_customer", "confirmed", Actor.CUSTOMER, ("cancel_by_customer",)),
        ("waitlist", "pending", Actor.EXTERNAL, ("approve", "cancel", "complete", "wait")),
        ("waitlist", "booked", Actor.INTERNAL, ("cancel", "complete", "mark_no_show", "serve", "wait")),
        ("waitlist", "complete", Actor.EXTERNAL, ("restore",)),
        ("waitlist", "waiting", Actor.CUSTOMER, ("cancel",)),
    ],
)
def test_what_other_graphs_offer(graph: str, state: str, actor: Actor, offers: tuple[str, ...]) -> None:
    """What is on offer follows the sender, a timer's action being the system's own."""
    assert load_graphs(None)[graph].available(state, actor) == offers


@pytest.mark.parametrize(
    ("graph", "current", "wanted", "action"),
    [
        ("venue", "registered", "CONFIRMED", "confirm"),
        ("venue", "seated", "Cancelled", "cancel"),
        ("venue", "confirmed", "unconfirmed", "request_confirmation"),
        ("venue", "confirmed", "confirmed", "confirm"),
        ("venue", "confirmed", "registered", None),
        ("waitlist", "waiting", "SERVING", "serve"),
        ("waitlist", "pending", "complete", "complete"),
        ("waitlist", "complete", "serving", None),
        ("instant_payment", "tentative", "unpaid", "timeout"),
        ("instant", "cancelled", "completed", None),
        ("instant", "confirmed", "flying", None),
    ],
)
def test_a_wanted_state_stands_for_an_action(graph: str, current: str, wanted: str, action: str | None) -> None:
    """A state is asked for in any case and found from where it is, in level graphs from anywhere."""
    found = load_graphs(None)[graph].resolve_state(current, wanted)
    assert (None if found is None else found.name) == action


def test_of_several_actions_the_one_named_like_the_state_is_meant() -> None:
    """With none named so, the first that the sender may take is meant, else the first."""

    def action(name: str, *actors: Actor) -> Action:
        return Action(name, frozenset({"here"}), "there", frozenset(actors))

    def graph(*actions: Action) -> Graph:
        states = {name: State(name, None, Access.OPEN, name == "there") for name in ("here", "there")}
        return Graph("g", "booking", ("here",), states, {one.name: one for one in actions})

    run, fly, named = action("run", Actor.INTERNAL), action("fly", Actor.EXTERNAL), action("there", Actor.SYSTEM)
    assert graph(run, fly, named).resolve_state("here", "there", actor=Actor.EXTERNAL) == named
    assert graph(run, fly).resolve_state("here", "there", actor=Actor.EXTERNAL) == fly
    assert graph(run, fly).resolve_state("here", "there", actor=Actor.CUSTOMER) == run
    assert graph(run, fly).resolve_state("here", "there") == run


def test_restore_leads_where_the_date_says() -> None:
    """A completed visit goes back to booked with a date, to waiting without one, by action and by state alike."""
    waitlist = load_graphs(None)["waitlist"]
    restore = waitlist.actions["restore"]
    dated, undated = {"date": "2026-12-24T18:00"}, {"date": None}
    assert restore.destination(dated) == "booked"
    assert restore.destination(undated) == "waiting"
    assert restore.targets == ("booked", "waiting")
    assert waitlist.resolve_state("complete", "booked", dated) == restore
    assert waitlist.resolve_state("complete", "waiting", undated) == restore
    assert waitlist.resolve_state("complete", "waiting", dated) is None
    assert waitlist.resolve_state("complete", "booked", undated) is None


def test_states_are_known_in_any_case() -> None:
    """A graph tells a state it has from one it has not."""
    venue = load_graphs(None)["venue"]
    assert venue.knows_state("Bill_Printed")
    assert not venue.knows_state("flying")


def test_external_and_customer_are_bound_by_policy() -> None:
    """Policy and blocked states bind senders from outside alone."""
    assert {actor for actor in Actor if actor.bound_by_policy} == {Actor.EXTERNAL, Actor.CUSTOMER}
    assert {actor for actor in Actor if Access.BLOCKED.admits(actor)} == {Actor.INTERNAL, Actor.SYSTEM}
    assert not any(Access.READ_ONLY.admits(actor) for actor in Actor)


def test_a_graph_can_not_be_changed() -> None:
    """States and actions of a loaded graph are read-only, and a graph can be a key."""
    venue = load_graphs(None)["venue"]
    with pytest.raises(TypeError):
        venue.states["seated"] = venue.states["closed"]  # type: ignore[index]
    assert {venue: 1}[load_graphs(None)["venue"]] == 1
