"""How longer work tells how far it is."""

import pytest

from service.cli import progress as module
from service.cli.progress import Progress
from service.cli.resync import told
from service.resync.bookmark import Bookmark, Selection


def bookmark(published: int) -> Bookmark:
    """A resync of four hundred."""
    return Bookmark("r-1", Selection(), 400, published)


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that is written over, and closed at the end."""
    monkeypatch.setattr(module, "ON_TERMINAL_SECONDS", 0.0)
    progress = Progress(on_terminal=True)
    progress.tell("a quarter")
    progress.tell("a half")
    progress.end()
    shown = capsys.readouterr()
    assert shown.out == ""
    # click takes the sequence that clears the rest of the line away, as this is no real terminal.
    assert shown.err == "\ra quarter\ra half\n"


def test_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of their own, not too many."""
    progress = Progress(on_terminal=False)
    progress.tell("a quarter")
    assert capsys.readouterr().err == "", "it was told just now that it began"
    monkeypatch.setattr(module, "ELSEWHERE_SECONDS", 0.0)
    progress.tell("a half")
    progress.tell("all")
    progress.end()
    assert capsys.readouterr().err == "... a half\n... all\n"


def test_a_resync() -> None:
    """Its share, and what waits; more may turn up than were counted, and an empty resync has no shares."""
    assert told(bookmark(100), 10) == "100 of 400 (25 %)"
    assert told(bookmark(200), 1_500) == "200 of 400 (50 %), 1500 snapshots wait for the relay"
    assert told(bookmark(500), 0) == "500 of 400 (100 %)"
    assert told(Bookmark("r-1", Selection(), 0), 0) == "0 of 0 (0 %)"
