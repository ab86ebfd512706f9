from pathlib import Path

from service.domain.graph import Graph
from service.graphs.draw import dot, mermaid, table
from service.graphs.loader import load_graphs

PAYMENT_TABLE = """\
group_customer_payment: a graph of bookings
initial: tentative
owner_booking_id points to: group_owner

STATE                  ACCESS  FINAL
tentative              open
paid                   open
unpaid                 open    final
cancelled_by_customer  open    final
cancelled_by_owner     open    final
completed              open    final

"""

OWNER_MERMAID = """\
stateDiagram-v2
    tentative
    cancelled
    completed
    [*] --> tentative
    tentative --> cancelled: cancel
    tentative --> completed: complete (1h after ends_at)
    cancelled --> [*]
    completed --> [*]
"""

OWNER_DOT = """\
digraph "group_owner" {
    rankdir=LR;
    node [shape=box];
    "tentative";
    "cancelled" [peripheries=2];
    "completed" [peripheries=2];
    "[*]" [shape=point];
    "[*]" -> "tentative";
    "tentative" -> "cancelled" [label="cancel"];
    "tentative" -> "completed" [label="complete (1h after ends_at)"];
}
"""

NOTE = """
aggregate = "booking"
initial = "note"
[states.note]
[states.end]
[actions.finish]
from = ["note"]
to = "end"
actors = "all"
"""


def test_small_drawings() -> None:
    """A small graph is drawn like this."""
    owner = load_graphs(None)["group_owner"]
    assert mermaid(owner) == OWNER_MERMAID
    assert dot(owner) == OWNER_DOT


def test_drawings_hold_every_state_and_edge() -> None:
    """Nothing of a graph is missing in a drawing of it."""
    for graph in load_graphs(None).values():
        holds_everything(graph)


def holds_everything(graph: Graph) -> None:
    lines, text = mermaid(graph).splitlines(), dot(graph)
    for state in graph.states.values():
        assert f"    {state.name}" in lines
        assert (f"    {state.name} --> [*]" in lines) == state.final
        assert f'\n    "{state.name}"' in text
    for action in graph.actions.values():
        for source in action.sources:
            for target in action.targets:
                assert any(line.startswith(f"    {source} --> {target}: {action.name}") for line in lines)
                assert f'"{source}" -> "{target}" [label="{action.name}' in text


def test_states_set_by_status_are_joined() -> None:
    """A status graph shows what a status_id may do."""
    drawn = mermaid(load_graphs(None)["status"])
    assert "    reserved --> attended: status_id\n" in drawn
    assert "    attended --> reserved: status_id\n" in drawn
    assert drawn.count("status_id") == 12


def test_words_of_mermaid_are_renamed(tmp_path: Path) -> None:
    """A state named like a word of the diagram language is drawn under another id."""
    (tmp_path / "notes.toml").write_text(NOTE, encoding="utf-8")
    drawn = mermaid(load_graphs(tmp_path)["notes"])
    assert '    state "end" as end_\n' in drawn
    assert "    note_ --> end_: finish\n" in drawn


def test_blocked_and_read_only_states_look_different() -> None:
    """Access classes are seen in both drawings."""
    venue = load_graphs(None)["venue"]
    assert "    class waiting,seated,bill_printed blocked\n" in mermaid(venue)
    assert "    class closed,no_show,cancelled read_only\n" in mermaid(venue)
    assert '"seated" [style=dashed];' in dot(venue)
    assert '"closed" [peripheries=2, style=filled];' in dot(venue)


def test_a_table_tells_states_and_actions() -> None:
    """A table has a line for each state and action, with who, what and when."""
    graphs = load_graphs(None)
    payment = table(graphs["group_customer_payment"])
    assert payment.startswith(PAYMENT_TABLE)
    assert rows(payment, "pay") == [
        "pay tentative -> paid all payment_id (id <= 64, required)",
    ]
    assert rows(payment, "timeout") == ["timeout tentative -> unpaid system 5m after entry"]
    assert rows(table(graphs["venue"]), "cancel") == [
        "cancel every lower level -> cancelled all message (text <= 2000)",
    ]
    assert rows(table(graphs["venue"]), "seated") == ["seated 4 blocked"]
    assert rows(table(graphs["group_owner"]), "cancel") == [
        "cancel tentative -> cancelled all message (text <= 2000) cancel_by_owner on the bookings it owns",
    ]
    assert rows(table(graphs["waitlist"]), "restore") == [
        "restore complete -> booked, or waiting without date external, internal, system",
    ]
    assert rows(table(graphs["waitlist"]), "expire") == [
        "expire pending -> complete system 10m after entry adds tag EXPIRED",
    ]
    assert "set by status_id: reserved, confirmed, attended, no_show\n" in table(graphs["status"])


def rows(text: str, first: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.startswith(f"{first} ")]
