"""PostgreSQL by TLS: the server is verified wherever the service opens a connection."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from service.store.migrate import migrate
from tests.cli.command_line import finished
from tests.e2e.broker import Broker
from tests.e2e.process import Service, environment
from tests.e2e.stage import create, open_location, staged, stop, versions
from tests.support.certificates import Authority
from tests.support.postgres import Databases
from tests.support.postgres_tls import server
from tests.support.wait import until

pytestmark = pytest.mark.timeout(150)
PLAIN = "127.0.0.1:1"


class Tls:
    """A server with TLS: its databases, and addresses that verify it."""

    def __init__(self, url: str, authority: Authority) -> None:
        self.databases = Databases(url)
        self.authority = authority

    def verified(self, url: str, ca: Path | None = None, **more: str) -> str:
        """The address with `sslmode=verify-full`."""
        query = {"sslmode": "verify-full", "sslrootcert": str(ca or self.authority.ca), **more}
        return f"{url}?{urlencode(query, safe='/')}"


@pytest.fixture(scope="session")
def tls_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    """A server with a throw-away certificate."""
    directory = tmp_path_factory.mktemp("tls")
    authority = Authority(directory)
    with server(directory, authority) as running:
        yield Tls(running.url, authority)


@pytest.fixture
def tls_url(tls_postgres: Tls) -> Iterator[str]:
    """An empty database, by an address that says nothing of TLS."""
    with tls_postgres.databases.empty() as url:
        yield url


async def doctor(url: str, **variables: str) -> dict[str, Any]:
    """What the doctor says of PostgreSQL."""
    code, out, said = await finished(environment(Broker(PLAIN, ""), url, **variables), ["doctor", "--json"])
    assert code == 1, out + said
    return {one["check"]: one for one in json.loads(out)["findings"]}


async def test_the_whole_service_on_a_verified_server(
    kafka: str, topic_prefix: str, tls_postgres: Tls, tls_url: str, tmp_path: Path
) -> None:
    """Migration, pool, locks, doctor and resync by `verify-full`; every connection of the service is encrypted."""
    url = tls_postgres.verified(tls_url)
    await migrate(url)
    async with staged(kafka, topic_prefix, url, tmp_path) as stage:
        with stage.service() as service:
            await service.ready()
            await open_location(stage)
            await stage.send([create("b-1")])
            await stage.settle()
            encrypted = await stage.connection.fetch(
                "SELECT application_name, bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                "WHERE application_name LIKE 'bookstream%' GROUP BY 1"
            )
            assert {row["application_name"]: row["ssl"] for row in encrypted} == dict.fromkeys(
                ("bookstream", "bookstream relay", "bookstream clock"), True
            )
            code, out, said = await finished(environment(stage.broker, url), ["resync", "--json"])
            assert code == 0, out + said
            await stage.settle()
            assert await stop(service) == 0, service.tail()
        assert versions(await stage.events()) == {"b-1": [1, 1]}


async def test_doctor_on_the_way_to_postgres(tls_postgres: Tls, tls_url: str) -> None:
    """Verified is fine, by the address or by PostgreSQL's own variables; so is anything on this machine."""
    found = await doctor(tls_postgres.verified(tls_url))
    assert found["postgres.transport"]["message"] == "encrypted, and the server is verified"
    by_variables = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(tls_postgres.authority.ca)}
    found = await doctor(tls_url, **by_variables)
    assert found["postgres.transport"]["message"] == "encrypted, and the server is verified"
    found = await doctor(tls_url)
    assert found["postgres.transport"]["message"] == "on this machine alone"


@pytest.mark.parametrize("wrong", ["ca", "name"])
async def test_who_is_not_who_it_should_be(
    tls_postgres: Tls, tls_url: str, tmp_path: Path, wrong: str, kafka: str, topic_prefix: str
) -> None:
    """A server of another CA, or by another name, is told by its cause: by the doctor, `migrate` and the service."""
    if wrong == "ca":
        url, told = tls_postgres.verified(tls_url, Authority(tmp_path, "other").ca), "certificate verify failed"
    else:
        url, told = tls_postgres.verified(tls_url.replace("127.0.0.1", "localhost")), "not valid for 'localhost'"
    found = (await doctor(url))["postgres"]
    assert told in found["message"]
    code, out, said = await finished(environment(Broker(PLAIN, ""), url), ["migrate"])
    assert code == 1
    assert told in out + said
    settings = environment(Broker(kafka, topic_prefix), url)
    with Service(settings, tmp_path, "clock") as service:
        await until(lambda: told in service.log.read_text(errors="replace"), 40)
        assert any("PostgreSQL" in each for each in service.problems())
