from collections.abc import Mapping
from datetime import timedelta

import pytest

from service.domain.actor import Actor
from service.domain.graph import Access, Autoplay, Graph, Input
from service.graphs.loader import load_graphs

ALL = frozenset(Actor)
STAFF = frozenset({Actor.INTERNAL, Actor.SYSTEM})
EXTERNAL = frozenset({Actor.EXTERNAL})
SYSTEM = frozenset({Actor.SYSTEM})
NOT_CUSTOMER = ALL - {Actor.CUSTOMER}

Move = tuple[str, str, str, frozenset[Actor]]

# The contract's table again, by hand: states an action starts in, action, state it leads to, who may take it.
MOVES: Mapping[str, tuple[Move, ...]] = {
    "venue": (
        ("registered", "request_confirmation", "unconfirmed", EXTERNAL),
        ("registered unconfirmed", "confirm", "confirmed", EXTERNAL),
        ("registered unconfirmed confirmed", "wait", "waiting", STAFF),
        ("registered unconfirmed confirmed waiting", "seat", "seated", STAFF),
        ("registered unconfirmed confirmed waiting seated", "print_bill", "bill_printed", STAFF),
        ("registered unconfirmed confirmed waiting seated bill_printed", "close", "closed", STAFF),
        ("registered unconfirmed confirmed waiting seated bill_printed", "mark_no_show", "no_show", STAFF),
        ("registered unconfirmed confirmed waiting seated bill_printed", "cancel", "cancelled", ALL),
    ),
    "instant": (
        ("confirmed", "cancel", "cancelled", ALL),
        ("confirmed", "cancel_by_customer", "cancelled_by_customer", ALL),
        ("confirmed", "complete", "completed", NOT_CUSTOMER),
        ("confirmed", "reschedule_by_customer", "rescheduled_by_customer", ALL),
    ),
    "confirm_decline": (
        ("tentative", "confirm", "confirmed", ALL),
        ("tentative", "decline", "declined", ALL),
        ("confirmed", "cancel", "cancelled", ALL),
        ("confirmed", "cancel_by_customer", "cancelled_by_customer", ALL),
        ("confirmed", "complete", "completed", NOT_CUSTOMER),
        ("confirmed", "reschedule_by_customer", "rescheduled_by_customer", ALL),
    ),
    "instant_payment": (
        ("tentative", "pay", "paid", ALL),
        ("tentative", "timeout", "unpaid", SYSTEM),
        ("paid", "cancel", "cancelled", ALL),
        ("paid", "cancel_by_customer", "cancelled_by_customer", ALL),
        ("paid", "complete", "completed", NOT_CUSTOMER),
    ),
    "group_owner": (
        ("tentative", "cancel", "cancelled", ALL),
        ("tentative", "complete", "completed", NOT_CUSTOMER),
    ),
    "group_customer": (
        ("confirmed", "cancel_by_customer", "cancelled_by_customer", ALL),
        ("confirmed", "cancel_by_owner", "cancelled_by_owner", NOT_CUSTOMER),
        ("confirmed", "complete", "completed", NOT_CUSTOMER),
    ),
    "group_customer_payment": (
        ("tentative", "pay", "paid", ALL),
        ("tentative", "timeout", "unpaid", SYSTEM),
        ("paid", "cancel_by_customer", "cancelled_by_customer", ALL),
        ("tentative paid", "cancel_by_owner", "cancelled_by_owner", NOT_CUSTOMER),
        ("paid", "complete", "completed", NOT_CUSTOMER),
    ),
    "waitlist": (
        ("draft pending", "approve", "booked", NOT_CUSTOMER),
        ("pending draft booked serving", "wait", "waiting", NOT_CUSTOMER),
        ("booked waiting", "serve", "serving", NOT_CUSTOMER),
        ("pending draft booked waiting serving", "complete", "complete", NOT_CUSTOMER),
        ("pending draft booked waiting serving", "cancel", "complete", ALL),
        ("booked waiting", "mark_no_show", "complete", STAFF),
        ("pending", "expire", "complete", SYSTEM),
        ("complete", "restore", "booked", NOT_CUSTOMER),
    ),
    "status": (("reserved confirmed attended no_show", "cancel", "cancelled", ALL),),
}

INITIAL: Mapping[str, tuple[str, ...]] = {
    "venue": ("registered",),
    "instant": ("confirmed",),
    "confirm_decline": ("tentative",),
    "instant_payment": ("tentative",),
    "group_owner": ("tentative",),
    "group_customer": ("confirmed",),
    "group_customer_payment": ("tentative",),
    "waitlist": ("waiting", "booked", "pending", "draft"),
    "status": ("reserved",),
}

FINAL: Mapping[str, frozenset[str]] = {
    "venue": frozenset({"closed", "no_show", "cancelled"}),
    "instant": frozenset({"cancelled", "cancelled_by_customer", "completed", "rescheduled_by_customer"}),
    "confirm_decline": frozenset(
        {"declined", "cancelled", "cancelled_by_customer", "completed", "rescheduled_by_customer"}
    ),
    "instant_payment": frozenset({"unpaid", "cancelled", "cancelled_by_customer", "completed"}),
    "group_owner": frozenset({"cancelled", "completed"}),
    "group_customer": frozenset({"cancelled_by_customer", "cancelled_by_owner", "completed"}),
    "group_customer_payment": frozenset({"unpaid", "cancelled_by_customer", "cancelled_by_owner", "completed"}),
    "waitlist": frozenset({"complete"}),
    "status": frozenset({"cancelled"}),
}

HOUR_AFTER_END = Autoplay(timedelta(hours=1), "ends_at")
FIVE_MINUTES = Autoplay(timedelta(minutes=5), "entry")

# Graph, state, action: every clock that starts when the state is entered.
TIMERS = {
    ("instant", "confirmed", "complete"): HOUR_AFTER_END,
    ("confirm_decline", "confirmed", "complete"): HOUR_AFTER_END,
    ("instant_payment", "tentative", "timeout"): FIVE_MINUTES,
    ("instant_payment", "paid", "complete"): HOUR_AFTER_END,
    ("group_owner", "tentative", "complete"): HOUR_AFTER_END,
    ("group_customer", "confirmed", "complete"): HOUR_AFTER_END,
    ("group_customer_payment", "tentative", "timeout"): FIVE_MINUTES,
    ("group_customer_payment", "paid", "complete"): HOUR_AFTER_END,
    ("waitlist", "pending", "expire"): Autoplay(timedelta(minutes=10), "entry"),
}

MESSAGE = (Input("message", required=False, kind="text", max_length=2000),)
INPUTS = {
    "pay": (Input("payment_id", required=True, kind="id", max_length=64),),
    "cancel": MESSAGE,
    "cancel_by_customer": MESSAGE,
    "cancel_by_owner": MESSAGE,
    "decline": MESSAGE,
    "reschedule_by_customer": MESSAGE,
    "mark_no_show": MESSAGE,
}


@pytest.fixture(scope="module")
def graphs() -> Mapping[str, Graph]:
    return load_graphs(None)


def test_the_shipped_graphs_are_those_of_the_contract(graphs: Mapping[str, Graph]) -> None:
    """Nine graphs ship, no more and no fewer."""
    assert set(graphs) == set(MOVES)


@pytest.mark.parametrize("name", MOVES)
def test_every_transition_is_one_of_the_table(graphs: Mapping[str, Graph], name: str) -> None:
    """What a graph allows is what the contract says, and nothing else."""
    wanted = {(source, action, target) for sources, action, target, _ in MOVES[name] for source in sources.split()}
    found = {(source, one.name, one.target) for one in graphs[name].actions.values() for source in one.sources}
    assert found == wanted


@pytest.mark.parametrize(("name", "action", "who"), [(n, move[1], move[3]) for n in MOVES for move in MOVES[n]])
def test_actions_are_open_to_whom_the_table_says(
    graphs: Mapping[str, Graph], name: str, action: str, who: frozenset[Actor]
) -> None:
    """An action permits exactly its actors, customers only where its name is one of theirs."""
    graph = graphs[name]
    assert {actor for actor in Actor if graph.permits(graph.actions[action], actor)} == who


@pytest.mark.parametrize("name", MOVES)
def test_initial_and_final_states(graphs: Mapping[str, Graph], name: str) -> None:
    """A graph begins and ends where the contract says, its default first."""
    graph = graphs[name]
    named = {state for sources, _, target, _ in MOVES[name] for state in (*sources.split(), target)}
    assert graph.initial == INITIAL[name]
    assert {one.name for one in graph.states.values() if one.final} == FINAL[name]
    assert set(graph.states) == named


def test_every_timer(graphs: Mapping[str, Graph]) -> None:
    """Exactly the actions of the table play by themselves, and only from their states."""
    found = {
        (graph.name, state, action.name): action.autoplay
        for graph in graphs.values()
        for state in graph.states
        for action in graph.timers(state)
    }
    assert found == TIMERS


@pytest.mark.parametrize("name", MOVES)
def test_declared_inputs(graphs: Mapping[str, Graph], name: str) -> None:
    """Payments need their id, cancellations and their kin take a message, the rest takes nothing."""
    assert {one.name: one.inputs for one in graphs[name].actions.values()} == {
        action: INPUTS.get(action, ()) for _, action, _, _ in MOVES[name]
    }


def test_levels_and_access_of_a_venue(graphs: Mapping[str, Graph]) -> None:
    """Only the venue has levels, and only there states are blocked or read-only."""
    assert {(s.name, s.level, s.access) for s in graphs["venue"].states.values()} == {
        ("registered", 0, Access.OPEN),
        ("unconfirmed", 1, Access.OPEN),
        ("confirmed", 2, Access.OPEN),
        ("waiting", 3, Access.BLOCKED),
        ("seated", 4, Access.BLOCKED),
        ("bill_printed", 5, Access.BLOCKED),
        ("closed", 6, Access.READ_ONLY),
        ("no_show", 6, Access.READ_ONLY),
        ("cancelled", 6, Access.READ_ONLY),
    }
    others = [graph for graph in graphs.values() if graph.name != "venue"]
    assert graphs["venue"].levels
    assert not any(graph.levels for graph in others)
    assert {(s.level, s.access) for graph in others for s in graph.states.values()} == {(None, Access.OPEN)}


def test_tags_restoration_and_owners(graphs: Mapping[str, Graph]) -> None:
    """Tags tell how a visit ended, restore looks at the date, an owner's cancellation goes on to its customers."""
    actions = [(graph.name, action) for graph in graphs.values() for action in graph.actions.values()]
    assert {(name, one.name, one.add_tag) for name, one in actions if one.add_tag} == {
        ("waitlist", "cancel", "CANCELLED"),
        ("waitlist", "mark_no_show", "NO-SHOW"),
        ("waitlist", "expire", "EXPIRED"),
    }
    assert [(name, one.name, one.without) for name, one in actions if one.without] == [
        ("waitlist", "restore", ("date", "waiting"))
    ]
    assert [(name, one.name, one.cascade) for name, one in actions if one.cascade] == [
        ("group_owner", "cancel", "cancel_by_owner")
    ]
    assert {name: graph.owner_graph for name, graph in graphs.items() if graph.owner_graph} == {
        "group_customer": "group_owner",
        "group_customer_payment": "group_owner",
    }
    assert {name for name, graph in graphs.items() if graph.aggregate == "visit"} == {"waitlist"}
    assert {name: graph.by_status for name, graph in graphs.items() if graph.by_status} == {
        "status": {"reserved", "confirmed", "attended", "no_show"}
    }
