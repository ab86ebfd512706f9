"""What breaks servers, and what looks at findings."""

from collections.abc import Sequence
from typing import TypeAlias

import asyncpg

from service.doctor.finding import Finding, Severity
from tests.support.wait import until

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Admin:
    """Changes settings of a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, name: str, value: str) -> None:
        """Sets one, and waits until it holds."""
        await self._connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await self._connection.execute("SELECT pg_reload_conf()")
        await until(lambda: self._connection.fetchval("SELECT current_setting($1) = $2", name, value))

    async def reset(self) -> None:
        """Takes everything back."""
        await self._connection.execute("ALTER SYSTEM RESET ALL")
        await self._connection.execute("SELECT pg_reload_conf()")
        await until(lambda: self._connection.fetchval("SELECT current_setting('fsync') = 'on'"))


def bad(findings: Sequence[Finding]) -> dict[str, tuple[Severity, str]]:
    """What is not as it should be: severity, message and remedy by check."""
    for finding in findings:
        assert (finding.remedy is None) == (finding.severity is Severity.OK), finding
    return {
        finding.check: (finding.severity, f"{finding.message} -> {finding.remedy}")
        for finding in findings
        if finding.severity is not Severity.OK
    }


def only(findings: Sequence[Finding], check: str, severity: Severity, *words: str) -> None:
    """Exactly one thing is wrong: this."""
    found = bad(findings)
    assert list(found) == [check], found
    assert found[check][0] is severity
    for word in words:
        assert word in found[check][1]
