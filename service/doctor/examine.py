"""The whole examination: settings, then PostgreSQL and Kafka at the same time."""

import asyncio
from collections.abc import Mapping
from typing import Final

from service.doctor.finding import Clock, Finding, now, ok, problem, warning
from service.doctor.kafka import examine_kafka
from service.doctor.postgres import examine_postgres
from service.domain.graph import Graph
from service.errors import SettingsError
from service.graphs.loader import load_graphs
from service.settings import Settings

SAFE_REPLICATION: Final = 3


async def examine(settings: Settings, clock: Clock = now) -> list[Finding]:
    """Runs every check; nothing is written anywhere, and no check that fails keeps another from running."""
    findings, graphs = examine_settings(settings)
    postgres, kafka = await asyncio.gather(
        examine_postgres(settings.database_url.get_secret_value(), graphs, clock), examine_kafka(settings, clock)
    )
    return [*findings, *postgres, *kafka]


def unreadable(error: SettingsError) -> list[Finding]:
    """Tells settings that can't be read; nothing else can be looked at then."""
    remedy = "correct it in the environment, or in the file that BOOKSTREAM_CONFIG names"
    return [problem("settings", line, remedy) for line in str(error).splitlines()]


def examine_settings(settings: Settings) -> tuple[list[Finding], Mapping[str, Graph] | None]:
    """Looks at settings that can be read; gives the graphs too, where they are sound."""
    findings = [ok("settings", "every setting can be read")]
    if settings.signing == "off":
        findings.append(
            warning(
                "settings.signing",
                "signing is off: whoever can write to the command topics is believed",
                "keep the command topics to trusted networks and writers (ACLs of the broker)",
            )
        )
    if settings.replication < SAFE_REPLICATION:
        findings.append(
            warning(
                "settings.replication",
                f"topics are made with {settings.replication} copies: records can be lost with one broker",
                "BOOKSTREAM_REPLICATION=3 on a cluster; fewer are for local work",
            )
        )
    try:
        graphs = load_graphs(settings.graphs_dir)
    except SettingsError as error:
        remedy = "correct the file; `bookstream graph NAME` prints what it says"
        return [*findings, *(problem("graphs", line, remedy) for line in str(error).splitlines())], None
    return [*findings, ok("graphs", f"{len(graphs)} state graphs are sound")], graphs
