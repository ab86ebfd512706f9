"""The doctor says when what goes over a network is not protected on its way."""

import asyncpg
import pytest

from service.doctor.finding import Severity
from service.doctor.transport import are_local, kafka_transport, postgres_transport
from service.settings import Settings


@pytest.mark.parametrize(
    ("bootstrap", "protocol", "severity"),
    [
        ("127.0.0.1:9092", "PLAINTEXT", Severity.OK),
        ("localhost:9092,[::1]:9093", "SASL_PLAINTEXT", Severity.OK),
        ("127.0.0.1:9092,kafka.example:9092", "PLAINTEXT", Severity.WARNING),
        ("kafka.example:9092", "SASL_PLAINTEXT", Severity.WARNING),
        ("10.0.0.7:9092", "PLAINTEXT", Severity.WARNING),
        ("kafka.example:9093", "SSL", Severity.OK),
        ("kafka.example:9093", "SASL_SSL", Severity.OK),
    ],
)
def test_kafka(bootstrap: str, protocol: str, severity: Severity) -> None:
    """Plain is fine on this machine alone."""
    settings = Settings.model_validate({"kafka_bootstrap": bootstrap, "kafka_security_protocol": protocol})
    found = kafka_transport(settings)
    assert found.severity is severity
    assert (found.remedy is None) == (severity is Severity.OK)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example/x",
        "postgresql://u:p@127.0.0.1,db.example:5432/x",
        "postgresql:///x?host=db.example",
        "postgresql://db.example/x?sslmode=verify-full",
    ],
)
async def test_postgres_over_a_network(database_url: str, url: str) -> None:
    """A connection that is not encrypted is a warning, whatever the address asks for."""
    connection = await asyncpg.connect(database_url)
    try:
        found = await postgres_transport(connection, url)
        assert (await postgres_transport(connection, database_url)).severity is Severity.OK
    finally:
        await connection.close()
    assert found.severity is Severity.WARNING
    assert "in the clear" in found.message
    assert "verify-full" in (found.remedy or "")


def test_what_is_this_machine() -> None:
    """Loopback addresses, its own name for them, and sockets; no name that only looks like one."""
    assert are_local(["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "", "/var/run/postgresql"])
    for host in ("localhost.example", "128.0.0.1", "0.0.0.0", "fe80::1", "kafka"):  # noqa: S104
        assert not are_local(["localhost", host])
