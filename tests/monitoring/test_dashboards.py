"""The files that Grafana reads are those that the source makes."""

from pathlib import Path

from deploy.dashboards.grafana import FOLDER, written


def test_the_files_are_up_to_date() -> None:
    """After a change: `python -m deploy.dashboards`."""
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert found == written()


def test_they_fit_into_an_annotation() -> None:
    """`kubectl apply` keeps a copy of the object in one, which holds 256 KiB."""
    assert sum(path.stat().st_size for path in Path(FOLDER).iterdir()) < 200 * 1024
