"""`bookstream doctor`: what keeps the service from its work."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

import click

from service.cli.render import printable
from service.consume import fetched
from service.doctor.examine import examine, unreadable
from service.doctor.finding import Finding, Severity
from service.errors import SettingsError
from service.settings import load_settings

COLOURS: Final[Mapping[Severity, str]] = MappingProxyType(
    {Severity.OK: "green", Severity.WARNING: "yellow", Severity.PROBLEM: "red"}
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON, for other programs.")
def doctor(as_json: bool) -> None:
    """Look at settings, PostgreSQL and Kafka; tell each finding, and what helps where something is wrong.

    Nothing is changed and nothing is written. Exit code 0 when there are warnings at most, 1 when there is a problem.
    """
    fetched.install()
    try:
        findings = asyncio.run(examine(load_settings()))
    except SettingsError as error:
        findings = unreadable(error)
    counts = Counter(finding.severity for finding in findings)
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings], "counts": counts}))
    else:
        for finding in findings:
            _show(finding)
        click.echo(f"{counts[Severity.PROBLEM]} problems, {counts[Severity.WARNING]} warnings")
    if counts[Severity.PROBLEM]:
        raise SystemExit(1)


def _show(finding: Finding) -> None:
    word = click.style(f"{finding.severity:<8}", fg=COLOURS[finding.severity])
    text = f"{word} {finding.check}: {printable(finding.message)}"
    if finding.remedy is not None:
        text += f"\n         remedy: {printable(finding.remedy)}"
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
