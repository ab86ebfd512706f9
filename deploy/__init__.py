"""What operators apply; only the dashboards are made by a program."""
