"""The page about the graphs is made from their files."""

from pathlib import Path

from service.graphs import document as page
from service.graphs.loader import load_graphs


def test_the_committed_page_is_that_of_the_files() -> None:
    """A graph that changed without its page fails."""
    committed = Path(page.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert committed == page.document(load_graphs(None).values())


def test_every_graph_is_drawn() -> None:
    """Each shipped graph has its heading and its picture."""
    graphs = load_graphs(None)
    text = page.document(graphs.values())
    assert all(f"## {name}\n" in text for name in graphs)
    assert text.count("```mermaid") == len(graphs)
