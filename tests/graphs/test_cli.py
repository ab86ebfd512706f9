from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli.graph import graph
from service.graphs.draw import dot, mermaid, table
from service.graphs.loader import load_graphs

OWN = """
aggregate = "booking"
initial = "open"
[states.open]
[states.shut]
[actions.shut]
from = ["open"]
to = "shut"
actors = "all"
"""


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner(env={"BOOKSTREAM_GRAPHS_DIR": None})


def test_without_a_name_the_graphs_are_listed(runner: CliRunner) -> None:
    """The list has a line for each graph."""
    result = runner.invoke(graph)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(load_graphs(None))


def test_a_graph_is_printed_and_drawn(runner: CliRunner) -> None:
    """A name is printed as a table, or drawn in the language asked for."""
    venue = load_graphs(None)["venue"]
    assert runner.invoke(graph, ["venue"]).stdout == table(venue)
    assert runner.invoke(graph, ["venue", "--format", "mermaid"]).stdout == mermaid(venue)
    assert runner.invoke(graph, ["venue", "--format", "dot"]).stdout == dot(venue)


def test_an_unknown_name_is_wrong_use(runner: CliRunner) -> None:
    """Exit code 2, with the names that are known."""
    result = runner.invoke(graph, ["venus"])
    assert result.exit_code == 2
    assert "unknown graph 'venus' (known: confirm_decline, " in result.stderr


def test_graphs_of_an_operator_are_read(runner: CliRunner, tmp_path: Path) -> None:
    """The directory of the settings adds its graphs, and a mistake in it is wrong use."""
    (tmp_path / "door.toml").write_text(OWN, encoding="utf-8")
    environment = {"BOOKSTREAM_GRAPHS_DIR": str(tmp_path)}
    result = runner.invoke(graph, ["door"], env=environment)
    assert result.exit_code == 0
    assert result.stdout.startswith("door: a graph of bookings\n")
    (tmp_path / "door.toml").write_text(OWN.replace('"all"', '"nobody"'), encoding="utf-8")
    result = runner.invoke(graph, env=environment)
    assert result.exit_code == 2
    assert "door.toml: action 'shut': actors must be" in result.stderr
