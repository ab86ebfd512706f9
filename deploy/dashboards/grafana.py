"""Dashboards as Grafana reads them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.dashboards.flow import FLOW
from deploy.dashboards.panels import Dashboard, Panel
from deploy.dashboards.promises import PROMISES

FOLDER: Final = Path(__file__).resolve().parents[1] / "components" / "monitoring" / "dashboards"
RULES: Final = FOLDER.parent / "alerts.yaml"
_COMPARISON: Final = re.compile(r"(?P<side>[<>]) (?P<value>[0-9.]+)$")
_COLOURS: Final = {"critical": "red", "warning": "orange"}
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT, _COLUMNS = 8, 7, 24

Json = dict[str, Any]


def written() -> dict[str, str]:
    """The files, by name."""
    rules = alerts()
    return {
        f"{each.name}.json": json.dumps(model(each, rules), indent=1, ensure_ascii=False) + "\n"
        for each in (PROMISES, FLOW)
    }


def alerts() -> dict[str, Json]:
    """The alerting rules, by name."""
    content = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return {rule["alert"]: rule for group in content["spec"]["groups"] for rule in group["rules"]}


def model(dashboard: Dashboard, rules: Mapping[str, Json]) -> Json:
    """The whole of a dashboard."""
    return {
        "uid": f"bookstream-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["bookstream"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": "bookstream", "tags": ["bookstream"], "keepTime": True}],
        "templating": {"list": _variables()},
        "panels": list(_panels(dashboard, rules)),
    }


def _variables() -> list[Json]:
    pods = 'label_values(bookstream_dependency_up{namespace="$namespace"}, pod)'
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        _variable("namespace", "label_values(bookstream_dependency_up, namespace)"),
        {**_variable("pod", pods), "multi": True, "includeAll": True, "allValue": ".+"},
    ]


def _variable(name: str, query: str) -> Json:
    # Read anew whenever the time changes: pods come and go.
    return {"name": name, "type": "query", "datasource": _SOURCE, "query": query, "refresh": 2, "sort": 1}


def _panels(dashboard: Dashboard, rules: Mapping[str, Json]) -> Iterator[Json]:
    number = top = 0
    for row in dashboard.rows:
        number += 1
        place = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        top += 1
        for index, panel in enumerate(row.panels):
            number += 1
            line, column = divmod(index, _COLUMNS // _WIDTH)
            place = {"x": column * _WIDTH, "y": top + line * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
            yield {"id": number, "gridPos": place, **_panel(panel, rules)}
        top += -(-len(row.panels) * _WIDTH // _COLUMNS) * _HEIGHT


def _panel(panel: Panel, rules: Mapping[str, Json]) -> Json:
    drawn = [rules[f"Bookstream{name}"] for name in panel.alerts]
    told = [f"{rule['alert']} ({rule['labels']['severity']}): {_limit(rule)} for {rule['for']}" for rule in drawn]
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": "\n\n".join([panel.description, *told]),
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": _defaults(panel, drawn), "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": query.expr, "legendFormat": query.legend}
            for index, query in enumerate(panel.queries)
        ],
    }


def _defaults(panel: Panel, drawn: list[Json]) -> Json:
    custom: Json = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if panel.stacked else 0,
        "showPoints": "auto",
    }
    custom |= {"stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"}}
    custom |= {"thresholdsStyle": {"mode": "dashed+area" if drawn else "off"}}
    steps = _steps(drawn)
    return {"unit": panel.unit, "min": 0, "custom": custom, "thresholds": {"mode": "absolute", "steps": steps}}


def _steps(drawn: list[Json]) -> list[Json]:
    """Colours from a value on: above the threshold of an alert, or below it where one fires at too little."""
    colours: dict[float | None, str] = {None: "transparent"}
    for rule in drawn:
        side, value = _comparison(rule)
        colour = _COLOURS[rule["labels"]["severity"]]
        if side == "<":
            colours |= {None: colour, value: "transparent"}
        else:
            # Where one alert fires below a value and another above it, the value itself is right.
            colours.setdefault(value, colour)
    return [
        {"color": colour, "value": value} for value, colour in sorted(colours.items(), key=lambda each: each[0] or 0)
    ]


def _limit(rule: Json) -> str:
    return " ".join(f"{part:.15g}" if isinstance(part, float) else part for part in _comparison(rule))


def _comparison(rule: Json) -> tuple[str, float]:
    match = _COMPARISON.search(rule["expr"].splitlines()[0])
    if match is None:
        raise ValueError(f"{rule['alert']} compares with no number")
    return match["side"], float(match["value"])
