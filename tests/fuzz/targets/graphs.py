"""Text of a graph file: a graph that can be drawn, or mistakes that name the file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from service.domain.graph import Graph
from service.graphs import loader
from service.graphs.draw import mermaid, table
from service.graphs.validate import check_links

FILE: Final = "fuzzed.toml"
# A mistake shows the value that is wrong.
MOST_TOLD: Final = 4


@dataclass(frozen=True, slots=True)
class Content:
    """A file that was never written."""

    content: bytes
    name: str = FILE

    def read_text(self, encoding: str) -> str:
        """Gives its text as a file does."""
        return self.content.decode(encoding)


def target(data: bytes) -> None:
    """Loads the text as the loader does with each file of an operator's directory."""
    found, mistakes = load(data)
    assert (found is None) == bool(mistakes), mistakes
    assert all(mistake.startswith(f"{FILE}: ") for mistake in mistakes)
    if found is not None:
        check_links({found.name: found}, [found.name], {found.name: FILE})
        assert mermaid(found)
        assert table(found)


def load(data: bytes) -> tuple[Graph | None, list[str]]:
    """Gives the graph of a file with this content, and its mistakes."""
    mistakes: list[str] = []
    return loader._load("fuzzed", Content(data), mistakes), mistakes  # type: ignore[arg-type]


def seeds() -> Sequence[bytes]:
    """The graphs that ship with the service."""
    return list(_shipped())


def _shipped() -> Iterator[bytes]:
    for file in sorted(files("service.graphs").joinpath("data").iterdir(), key=lambda one: one.name):
        yield file.read_bytes()
