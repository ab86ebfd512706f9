"""The dashboards as they are rendered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.deploy.rendered import Rendered

LABEL: Final = "grafana_dashboard"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel that is no heading, with the title of its dashboard."""

    dashboard: str
    json: dict[str, Any]

    @property
    def label(self) -> str:
        """How to call it."""
        return f"{self.dashboard}, {self.json['title']}"

    @property
    def expressions(self) -> list[str]:
        """What it asks for."""
        return [target["expr"] for target in self.json["targets"]]


def dashboards(rendered: Rendered) -> list[dict[str, Any]]:
    """All that Grafana would find."""
    return [
        json.loads(text)
        for thing in rendered.all("ConfigMap")
        if thing["metadata"]["labels"].get(LABEL) == "1"
        for text in thing["data"].values()
    ]


def panels(rendered: Rendered) -> list[Panel]:
    """All panels of all dashboards."""
    return list(_panels(rendered))


def _panels(rendered: Rendered) -> Iterator[Panel]:
    for dashboard in dashboards(rendered):
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield Panel(dashboard["title"], panel)
