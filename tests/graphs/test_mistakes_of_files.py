from pathlib import Path

import pytest

from service.errors import SettingsError
from service.graphs.loader import load_graphs
from service.graphs.validate import GraphError
from tests.graphs.examples import HOTEL, LIFT, NAMES, PRESENCE, mistakes


@pytest.mark.parametrize("text", [HOTEL, LIFT, PRESENCE])
def test_the_examples_themselves_are_right(tmp_path: Path, text: str) -> None:
    """Each example loads, so that its mistakes are the ones written into it."""
    (tmp_path / "example.toml").write_text(text, encoding="utf-8")
    assert "example" in load_graphs(tmp_path)


def test_a_file_name_is_the_name(tmp_path: Path) -> None:
    """A graph's name is its file's, so that has to be lower snake_case too."""
    assert mistakes(tmp_path, HOTEL, "Grand-Hotel.toml") == (f"Grand-Hotel.toml: the name 'Grand-Hotel' {NAMES}",)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    """An empty file lacks everything, and all of it is told at once."""
    assert mistakes(tmp_path, "") == (
        'hotel.toml: aggregate must be "booking" or "visit", is missing',
        "hotel.toml: states is missing or empty: write a table [states.NAME] for each",
        "hotel.toml: actions is missing or empty: write a table [actions.NAME] for each",
        "hotel.toml: initial is missing: name the state that a new one is in, or a list that begins with the default",
    )


def test_an_action_given_twice_is_told_with_its_line(tmp_path: Path) -> None:
    """TOML itself refuses a table given twice; the line is passed on."""
    (found,) = mistakes(tmp_path, HOTEL + '\n[actions.leave]\nto = "gone"\n')
    assert found == "hotel.toml: Cannot declare ('actions', 'leave') twice (at line 21, column 15)"


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    """A file that TOML can't read is told by name and line."""
    (found,) = mistakes(tmp_path, "aggregate = booking\n")
    assert found.startswith("hotel.toml: ")
    assert "line 1" in found


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are told by the file's name."""
    (tmp_path / "hotel.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(GraphError, match=r"hotel\.toml: 'utf-8' codec can't decode"):
        load_graphs(tmp_path)


def test_all_mistakes_of_all_files_are_told(tmp_path: Path) -> None:
    """One start shows every mistake, not only the first."""
    (tmp_path / "lift.toml").write_text(LIFT.replace("level = 1", ""), encoding="utf-8")
    found = mistakes(tmp_path, HOTEL.replace('"all"', '["guest"]').replace('"5m"', '"soon"'))
    assert len(found) == 3
    assert [line.split(":")[0] for line in found] == ["hotel.toml", "hotel.toml", "lift.toml"]


def test_a_bad_graph_is_a_wrong_setting() -> None:
    """Graph files count as settings, so the process ends with their exit code."""
    assert issubclass(GraphError, SettingsError)


@pytest.mark.parametrize("value", ["[" * 20_000, "{a = " * 20_000, "{" + "a." * 20_000 + "a = 1}"])
def test_what_is_nested_too_deep_is_told(tmp_path: Path, value: str) -> None:
    """A file that no stack carries is told as any other mistake."""
    found = mistakes(tmp_path, f"aggregate = {value}\n")
    assert found[0].startswith("hotel.toml: ")


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_of_thousands_of_digits_is_told(tmp_path: Path, digits: str) -> None:
    """A number that Python doesn't read, or doesn't write, is told as any other mistake."""
    (found,) = mistakes(tmp_path, f"levels = {digits}\n{HOTEL}")
    assert found.startswith("hotel.toml: Exceeds the limit")
