"""Secrets that are planted in every channel are found in nothing that the service writes."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schemas.signing import secret_key
from tests.e2e.broker import Broker, Sent, headers
from tests.e2e.process import Service, environment, run_to_end
from tests.e2e.stage import Stage, booking_command, create, open_location, stop, update
from tests.e2e.test_signing import signed
from tests.support.wait import until

PASSWORD, BEARER, HIDDEN = "canary-of-postgres", "canary-of-a-bearer", "canary-in-a-member"
WRAPPING = base64.b64encode(b"canary-of-the-environment-keys!!").decode()
OUTPUTS = ("booking-events", "visit-events", "command-results")
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
AUTHORIZATION = ("Authorization", f"Bearer {BEARER}".encode())


def with_password(url: str) -> str:
    """The address of the database with a password in it, for which a server of tests does not ask."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()


def planted(key: dict[str, str]) -> list[Sent]:
    """Commands that are taken, refused, nobody's, and none at all; each with what must not come out again."""
    hidden = {"password": HIDDEN, "patch": {"notes": {"secret": HIDDEN}}, "link": HIDDEN}
    wrong = booking_command("update-booking", "b-1", "wrong", hidden)
    forged = booking_command("state-action", "b-1", "forged", {"action": "cancel", "link": HIDDEN})
    broken = Sent("booking-commands", b"b-1", b'{"booking_id": ', headers("broken", "update-booking"))
    all_of_them = [create("b-1"), update("b-1", "taken", notes="x"), wrong, forged, broken]
    with_bearer = [Sent(one.topic, one.key, one.value, [*one.headers, AUTHORIZATION]) for one in all_of_them]
    unsigned = update("b-1", "unsigned", notes="y")
    guessed = {**key, "secret": "whsec_" + base64.b64encode(bytes(32)).decode()}
    other = signed(update("b-1", "wrong-key", notes="z"), guessed)
    return [*(signed(one, key) for one in with_bearer), unsigned, other]


async def texts_of_tables(stage: Stage) -> dict[str, str]:
    """Everything in the database, as text and with its bytes as text."""
    tables = [row["relname"] for row in await stage.connection.fetch(TABLES)]
    found = {}
    for table in tables:
        rows = await stage.connection.fetch(f'SELECT * FROM "{table}"')  # noqa: S608
        cells = (cell for row in rows for cell in row.values())
        found[table] = " ".join(cell.decode("latin-1") if isinstance(cell, bytes) else str(cell) for cell in cells)
    return found


async def texts_of_topics(stage: Stage) -> dict[str, str]:
    """Everything that the service has published."""
    found = {}
    for topic in (*OUTPUTS, "commands-dlq"):
        records = await stage.broker.read([topic])
        parts = [part or b"" for one in records for part in (one.key, one.value, *(value for _, value in one.headers))]
        found[topic] = b" ".join(parts).decode("latin-1")
    return found


def shapes(secret: str) -> Iterator[str]:
    """A client's secret as it could show: as it was handed out, as base64, as bytes, as hexadecimal digits."""
    key = secret_key(secret)
    yield secret.removeprefix("whsec_")
    yield key.decode("latin-1")
    yield key.hex()
    yield repr(key)[2:-1]


@pytest.mark.timeout(150)
async def test_secrets_are_found_nowhere(stage: Stage, tmp_path: Path) -> None:
    """Logs at DEBUG, metrics, probes, tables, events, results, dead letters; the programs of operators too."""
    settings = environment(
        stage.broker,
        with_password(stage.database_url),
        BOOKSTREAM_SIGNING="required",
        BOOKSTREAM_LOG_LEVEL="DEBUG",
        BOOKSTREAM_ENCRYPTION_KEYS=WRAPPING,
    )
    said = [await asyncio.to_thread(run_to_end, settings, "migrate")]
    given = ("client", "add", "POS", "--account", "acc-1", "--scopes", "bookings:write", "--json")
    added = await asyncio.to_thread(run_to_end, settings, *given)
    key = json.loads(added.stdout)
    with Service(settings, tmp_path) as service:
        await service.ready()
        await open_location(stage)
        sent = planted(key)
        await stage.send(sent)
        await stage.settle()
        shown = [await asyncio.to_thread(service.get, path) for path in ("/livez", "/readyz", "/metrics")]
        said += [
            await asyncio.to_thread(run_to_end, settings, *words)
            for words in (("client", "list"), ("client", "list", "--json"), ("doctor",), ("show", "b-1"))
        ]
        assert await stop(service) == 0
        log = service.log.read_text()
    topics, tables = await texts_of_topics(stage), await texts_of_tables(stage)
    refused = await stage.results()
    assert {command: result["status"] for command, result in refused.items()} == {
        "wrong": 400, "forged": 401, "unsigned": 401, "wrong-key": 401,
    }  # fmt: skip
    assert "broken" in topics["commands-dlq"]
    written = {
        "the log": log,
        "what commands print": added.stderr + "".join(one.stdout + one.stderr for one in said),
        **{f"page {number}": body for number, (_, body) in enumerate(shown)},
        **{f"table {name}": text for name, text in tables.items()},
        **{f"topic {name}": text for name, text in topics.items()},
    }
    needles = [PASSWORD, BEARER, HIDDEN, WRAPPING, base64.b64decode(WRAPPING).decode(), *shapes(key["secret"])]
    assert [(where, needle) for where, text in written.items() for needle in needles if needle in text] == []
    given_signatures = [value for one in sent for name, value in one.headers if name == "webhook-signature"]
    signatures = [value.decode() for value in given_signatures if value is not None]
    assert len(signatures) == len(sent) - 1
    aside = written.keys() - {"topic commands-dlq"}
    assert [(where, one) for where in aside for one in signatures if one in written[where]] == []


@pytest.mark.timeout(100)
async def test_a_password_is_not_told_when_postgresql_is_away(tmp_path: Path, kafka: str) -> None:
    """Neither while the service waits, nor by a command that gives up."""
    url = f"postgresql://bookstream:{PASSWORD}@127.0.0.1:1/none"
    settings = environment(Broker(kafka, "canary."), url, BOOKSTREAM_SIGNING="required", BOOKSTREAM_LOG_LEVEL="DEBUG")
    with Service(settings, tmp_path) as service:
        await until(lambda: "waiting for PostgreSQL" in service.log.read_text(), 40)
        assert await stop(service) == 0
        told = service.log.read_text()
    for words in (("migrate",), ("client", "list"), ("doctor",)):
        ended = await asyncio.to_thread(run_to_end, settings, *words)
        assert ended.returncode == 1
        told += ended.stdout + ended.stderr
    assert PASSWORD not in told
