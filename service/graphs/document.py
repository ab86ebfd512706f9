"""The page about the shipped graphs, made from their files."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from service.domain.graph import Graph
from service.graphs.draw import mermaid, table
from service.graphs.loader import load_graphs

INTRODUCTION: Final = """# State graphs

This page is made from the files in `data/` by `python -m service.graphs.document`; a test fails when it lags behind.
Blocked states are yellow (internal actors alone may change them), read-only ones grey (nobody may).

A graph is one TOML file. Graphs of your own go into a directory that `BOOKSTREAM_GRAPHS_DIR` names; a mistake in one
stops the start with a message that names file, state and action. `bookstream graph NAME` prints what stands here, and
`bookstream migrate` refuses graphs that have lost a state which is still in use.
"""


def document(graphs: Iterable[Graph]) -> str:
    """Writes the page in Markdown."""
    return "\n".join((INTRODUCTION, *_sections(graphs)))


def _sections(graphs: Iterable[Graph]) -> Iterator[str]:
    for graph in graphs:
        yield f"## {graph.name}\n"
        yield f"```mermaid\n{mermaid(graph)}```\n"
        yield f"```\n{table(graph)}```\n"


def main() -> None:
    """Writes the page beside the graphs."""
    page = Path(__file__).with_name("README.md")
    page.write_text(document(load_graphs(None).values()), encoding="utf-8")


if __name__ == "__main__":
    main()
