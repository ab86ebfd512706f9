"""Whether what goes to PostgreSQL and Kafka could be read or answered by somebody else on the way."""

import ipaddress
import os
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from service.doctor.finding import Finding, ok, warning
from service.settings import Settings

ENCRYPTED: Final = "SELECT EXISTS (SELECT 1 FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl)"
VERIFIED: Final = "verify-full"


def kafka_transport(settings: Settings) -> Finding:
    """TLS verifies the brokers too; in the clear is fine where nothing leaves this machine."""
    check, protocol = "kafka.transport", settings.kafka_security_protocol
    if settings.kafka_is_encrypted:
        return ok(check, f"{protocol}: encrypted, and the brokers are verified")
    hosts = [address.rpartition(":")[0] for address in settings.kafka_bootstrap.split(",")]
    if are_local(hosts):
        return ok(check, f"{protocol}, on this machine alone")
    told = f"{protocol}: commands and events go to {settings.kafka_bootstrap} in the clear"
    return warning(check, told, "BOOKSTREAM_KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL, and a listener for it")


async def postgres_transport(connection: Any, url: str) -> Finding:
    """Encryption alone does not tell who answers; `sslmode=verify-full` does."""
    check = "postgres.transport"
    query = parse_qs(urlsplit(url).query)
    mode = query.get("sslmode", [os.environ.get("PGSSLMODE", "prefer")])[-1]
    encrypted = bool(await connection.fetchval(ENCRYPTED))
    if encrypted and mode == VERIFIED:
        return ok(check, "encrypted, and the server is verified")
    if are_local(_hosts(url)):
        return ok(check, "on this machine alone")
    remedy = f"sslmode={VERIFIED}&sslrootcert=FILE in BOOKSTREAM_DATABASE_URL"
    if encrypted:
        return warning(check, f"encrypted, but with sslmode={mode} anybody could answer in the server's place", remedy)
    return warning(check, "bookings and guests go to PostgreSQL in the clear", remedy)


def are_local(hosts: Iterable[str]) -> bool:
    """Whether all of these are this machine: loopback addresses, `localhost`, or paths of sockets."""
    return all(_is_local(host.strip().strip("[]")) for host in hosts)


def _is_local(host: str) -> bool:
    if host in ("", "localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hosts(url: str) -> list[str]:
    """The hosts of an address of PostgreSQL, which may name several, also behind `host=`."""
    parts = urlsplit(url)
    named = [*parts.netloc.rpartition("@")[2].split(","), *parse_qs(parts.query).get("host", [])]
    hosts = [unquote(name.rpartition(":")[0] if _has_port(name) else name) for name in named if name]
    return hosts or [os.environ.get("PGHOST", "")]


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdigit() and not name.endswith("]")
