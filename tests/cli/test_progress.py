"""How a resync tells how far it is."""

import pytest

from service.cli import resync as module
from service.cli.resync import Progress
from service.resync.bookmark import Bookmark, Selection


def bookmark(published: int) -> Bookmark:
    """A resync of four hundred."""
    return Bookmark("r-1", Selection(), 400, published)


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that is written over, and closed at the end."""
    monkeypatch.setattr(module, "ON_TERMINAL_SECONDS", 0.0)
    progress = Progress(on_terminal=True)
    progress.tell(bookmark(100), 10)
    progress.tell(bookmark(200), 1_500)
    progress.end()
    shown = capsys.readouterr()
    assert shown.out == ""
    # click takes the sequence that clears the rest of the line away, as this is no real terminal.
    assert shown.err == "\r100 of 400 (25 %)\r200 of 400 (50 %), 1500 snapshots wait for the relay\n"


def test_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of their own, not too many; more may turn up than were counted, and an empty resync has no shares."""
    progress = Progress(on_terminal=False)
    progress.tell(bookmark(100), 0)
    assert capsys.readouterr().err == "", "it was told just now that it began"
    monkeypatch.setattr(module, "ELSEWHERE_SECONDS", 0.0)
    progress.tell(bookmark(500), 0)
    progress.tell(Bookmark("r-1", Selection(), 0), 0)
    progress.end()
    assert capsys.readouterr().err == "... 500 of 400 (100 %)\n... 0 of 0 (0 %)\n"
