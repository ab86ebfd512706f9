from datetime import timedelta
from pathlib import Path

import pytest

from service.domain.actor import Actor
from service.domain.graph import Autoplay, Input
from service.graphs.loader import load_graphs
from service.graphs.validate import GraphError

SESSION = """
aggregate = "booking"
initial = ["planned", "offered"]

[states.planned]
[states.offered]
[states.over]
[states.dropped]

[actions.offer]
from = ["planned"]
to = "offered"
actors = ["internal", "system"]
autoplay = { after = "2s" }
inputs = { room = {}, code = { kind = "id" } }

[actions.finish]
from = ["offered"]
to = "over"
actors = ["system"]
autoplay = { after = "0s", relative_to = "ends_at" }

[actions.drop]
from = ["planned", "offered"]
to = "dropped"
actors = "all"
cascade = "drop_by_owner"
"""

SEAT = """
aggregate = "booking"
initial = "taken"
owner_graph = "session"

[states.taken]
[states.dropped]

[actions.drop_by_owner]
from = ["taken"]
to = "dropped"
actors = "all"
"""


def mount(directory: Path) -> Path:
    (directory / "session.toml").write_text(SESSION, encoding="utf-8")
    (directory / "seat.toml").write_text(SEAT, encoding="utf-8")
    return directory


def test_an_operator_adds_graphs(tmp_path: Path) -> None:
    """Graphs of a mounted directory stand beside the shipped ones."""
    shipped, graphs = load_graphs(None), load_graphs(mount(tmp_path))
    assert set(graphs) - set(shipped) == {"session", "seat"}
    assert graphs["session"].available("offered", Actor.EXTERNAL) == ("drop",)
    assert graphs["seat"].owner_graph == "session"
    assert graphs["session"].initial == ("planned", "offered")


def test_clocks_may_count_in_seconds_and_from_a_time_of_the_booking(tmp_path: Path) -> None:
    """A clock runs from the state's entry where nothing else is said, and may end with the booking."""
    session = load_graphs(mount(tmp_path))["session"]
    assert session.actions["offer"].autoplay == Autoplay(timedelta(seconds=2), "entry")
    assert session.actions["finish"].autoplay == Autoplay(timedelta(), "ends_at")


def test_inputs_have_defaults(tmp_path: Path) -> None:
    """An input is optional text of 500 characters where nothing else is said."""
    assert load_graphs(mount(tmp_path))["session"].actions["offer"].inputs == (
        Input("room", required=False, kind="text", max_length=500),
        Input("code", required=False, kind="id", max_length=64),
    )


def test_a_shipped_name_is_refused(tmp_path: Path) -> None:
    """What venue means is the same everywhere."""
    (tmp_path / "venue.toml").write_text(SEAT, encoding="utf-8")
    with pytest.raises(GraphError) as raised:
        load_graphs(tmp_path)
    assert str(raised.value) == "venue.toml: the graph 'venue' ships with the service and can't be replaced"


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Hidden files and those of other kinds are no graphs."""
    for name in (".hidden.toml", "README.md"):
        (tmp_path / name).write_text("not a graph", encoding="utf-8")
    assert set(load_graphs(tmp_path)) == set(load_graphs(None))


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A wrong path stops the start instead of adding nothing."""
    with pytest.raises(GraphError, match="not a directory of graphs that can be read: No such file or directory"):
        load_graphs(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(GraphError, match="not a directory of graphs that can be read: Not a directory"):
        load_graphs(tmp_path / "file")
