"""Writes the dashboards: `python -m deploy.dashboards`."""

from deploy.dashboards.grafana import FOLDER, written

if __name__ == "__main__":
    for name, text in written().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
