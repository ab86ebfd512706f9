"""The source of the dashboards: `python -m deploy.dashboards` writes the JSON that Grafana reads."""
