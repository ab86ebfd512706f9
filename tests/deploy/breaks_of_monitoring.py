"""Mistakes in what watches the service: for each check, what it has to say and how to make it."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.deploy import dashboards, monitoring, network
from tests.deploy.rendered import Break, Check, Rendered, drop, put, remove

MONITOR: Final = ("PodMonitor", "bookstream")
ALERTS: Final = ("PrometheusRule", "bookstream-alerts")
RECORDS: Final = ("PrometheusRule", "bookstream-records")
_ENDPOINT: Final = "spec/podMetricsEndpoints/0"
_FIRST: Final = "spec/groups/0/rules/0"


_WITHOUT: Final = {
    "alert": "BookstreamUnheardOf",
    "expr": "x > 0",
    "for": "1m",
    "labels": {"severity": "warning"},
    "annotations": {
        "summary": "s",
        "description": "{{ $value }}",
        "runbook_url": "https://bookstream.example/BookstreamUnheardOf.md",
    },
}


def _expr(text: str) -> Break:
    return put(*ALERTS, f"{_FIRST}/expr", text)


def _rule(name: str, member: str, value: Any) -> Break:
    """Change one alert, wherever it stands."""

    def apply(rendered: Rendered) -> None:
        groups = rendered.one(*ALERTS)["spec"]["groups"]
        (rule,) = [rule for group in groups for rule in group["rules"] if rule["alert"] == name]
        rule[member] = value

    return apply


def _scrape(pointer: str, value: object) -> Break:
    return put("NetworkPolicy", "bookstream-scrape", f"spec/{pointer}", value)


def _panel(title: str, change: Callable[[Any], object], file: str = "flow.json") -> Break:
    """Change the first panel of that title."""

    def apply(rendered: Rendered) -> None:
        data = rendered.one("ConfigMap", "bookstream-dashboards")["data"]
        dashboard = json.loads(data[file])
        change(next(panel for panel in dashboard["panels"] if panel["title"] == title))
        data[file] = json.dumps(dashboard)

    return apply


def _asks(title: str, expr: str) -> Break:
    return _panel(title, lambda panel: panel["targets"][0].update(expr=expr))


def _steps(panel: Any) -> Any:
    return panel["fieldConfig"]["defaults"]["thresholds"]["steps"]


def _same_uid(rendered: Rendered) -> None:
    data = rendered.one("ConfigMap", "bookstream-dashboards")["data"]
    data["flow.json"] = data["flow.json"].replace("bookstream-flow", "bookstream-promises")


_DAYS: Final = "BOOKSTREAM_INBOX_RETENTION_DAYS"
_RECORDED_LAG: Final = "namespace:bookstream_consumer_lag_seconds:max"
_LAG: Final = "Lag in seconds"
_ROWS_THAT_WAIT: Final = "Rows that wait"

BREAKS: Final[Mapping[Check, list[tuple[str, Break]]]] = {
    network.ways_in: [
        ("lets in []", remove("NetworkPolicy", "bookstream-scrape")),
        ("8081", _scrape("ingress/0/ports/0/port", 8081)),
        (
            "Job bookstream-migrate: lets in",
            _scrape("podSelector", {"matchLabels": {"app.kubernetes.io/name": "bookstream"}}),
        ),
        ("Deployment bookstream-relay: lets in", _scrape("ingress/0/from", [{"namespaceSelector": {}}])),
        ("Deployment bookstream-clock: lets in", drop("NetworkPolicy", "bookstream-scrape", "spec/ingress/0/from")),
    ],
    monitoring.scraping: [
        ("scrapes", put(*MONITOR, "spec/selector", {"matchLabels": {"app.kubernetes.io/name": "bookstream"}})),
        ("scrapes []", put(*MONITOR, "spec/selector", {"matchLabels": {"app.kubernetes.io/name": "bookstreams"}})),
        ("nothing answers /metric", put(*MONITOR, f"{_ENDPOINT}/path", "/metric")),
        ("has no port metrics", put(*MONITOR, f"{_ENDPOINT}/port", "metrics")),
    ],
    monitoring.metrics: [
        ("there is no metric bookstream_outbox_row", _expr("bookstream_outbox_row > 0")),
        ("there is no metric namespace:bookstream_outbox_rows:max", _expr("namespace:bookstream_outbox_rows:max > 0")),
        ("there is no metric bookstream_batch_size", _expr("rate(bookstream_batch_size[5m]) > 0")),
        ("there is no metric bookstream_outbox_rows_sum", _expr("rate(bookstream_outbox_rows_sum[5m]) > 0")),
        ("there is no metric other", _expr("rate(other[5m]) > 0")),
        ("has no label topics", _expr('bookstream_consumer_lag_records{topics="x"} > 0')),
        ("has no label le", _expr('rate(bookstream_batch_size_sum{le="1"}[5m]) > 0')),
        ("ask for its rate", _expr("sum(bookstream_commands_total) > 0")),
        ("groups by kind", _expr("sum by (kind) (rate(bookstream_commands_total[5m])) > 0")),
        ("groups by topic", _expr("sum by (topic) (namespace:bookstream_relay_owner:sum) > 0")),
        ("there is no metric bookstream_lag", put(*RECORDS, f"{_FIRST}/expr", "max(bookstream_lag)")),
        ("flow, Timers due: there is no metric bookstream_timers", _asks("Timers due", "sum(bookstream_timers)")),
    ],
    monitoring.alerting: [
        ("is of no known severity", put(*ALERTS, f"{_FIRST}/labels", {"severity": "page"})),
        ("has no summary", drop(*ALERTS, f"{_FIRST}/annotations/summary")),
        ("does not tell its number", put(*ALERTS, f"{_FIRST}/annotations/description", "It is late.")),
        ("does not lead to its runbook", drop(*ALERTS, f"{_FIRST}/annotations/runbook_url")),
        ("does not lead to its runbook", put(*ALERTS, f"{_FIRST}/alert", "BookstreamOther")),
        ("has no runbook", put(*ALERTS, _FIRST, _WITHOUT)),
        ("a runbook without an alert", drop(*ALERTS, _FIRST)),
    ],
    monitoring.limits: [
        ("BookstreamCommandsNearRetention", _rule("BookstreamCommandsNearRetention", "expr", "x > 604800")),
        ("BookstreamEventsNearRetention", _rule("BookstreamEventsNearRetention", "expr", "x > 302401")),
        ("BookstreamForgettingBehind", put("ConfigMap", "bookstream-settings", f"data/{_DAYS}", "7")),
        ("BookstreamLoopStuck", _rule("BookstreamLoopStuck", "expr", "x > 120")),
    ],
    dashboards.shown: [
        ("bookstream_timers_due is on no dashboard", _asks("Timers due", "sum(bookstream_timers_late_seconds)")),
        ("bookstream_events_total is on no dashboard", _asks("Events written", "time()")),
    ],
    dashboards.drawn: [
        ("draws [121, 302400.0]", _panel(_LAG, lambda panel: _steps(panel)[1].update(value=121))),
        ("draws [302400.0]", _panel(_LAG, lambda panel: _steps(panel).pop(1))),
        ("there is no alert BookstreamLate", _panel(_LAG, lambda panel: panel.update(description="BookstreamLate"))),
        ("its alerts fire at [130.0, 302400.0]", _rule("BookstreamCommandsLate", "expr", f"{_RECORDED_LAG} > 130")),
        ("does not say BookstreamTimersLate (critical): > 60 for 3m", _rule("BookstreamTimersLate", "for", "3m")),
        ("does not show what BookstreamRelayHeld is about", _asks("Held partitions", "time()")),
        (
            "BookstreamNoClockOwner is drawn nowhere",
            _panel("Active clocks", lambda panel: panel.update(description="x"), "promises.json"),
        ),
    ],
    dashboards.laid_out: [
        ("is there 2 times", _panel(_LAG, lambda panel: panel.update(id=5))),
        ("covers another", _panel(_LAG, lambda panel: panel["gridPos"].update(w=9))),
        ("is too wide", _panel("Partitions by state", lambda panel: panel["gridPos"].update(w=9))),
        ("its rows are", _panel("decode", lambda panel: panel.update(title="parse"))),
        ("no known unit", _panel(_LAG, lambda panel: panel["fieldConfig"]["defaults"].update(unit="seconds"))),
        ("has no description", _panel(_LAG, lambda panel: panel.update(description=""))),
        ("without a name", _panel(_LAG, lambda panel: panel["targets"][0].update(legendFormat=""))),
        ("bound to one data source", _panel(_LAG, lambda panel: panel["targets"][0]["datasource"].update(uid="p"))),
        ("asks all namespaces for bookstream_outbox_rows", _asks(_ROWS_THAT_WAIT, "sum(bookstream_outbox_rows)")),
        ("uid bookstream-promises is there 2 times", _same_uid),
    ],
}
