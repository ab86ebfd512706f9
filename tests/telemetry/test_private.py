"""A person who appears in commands of every kind appears in no log, probe or metric of the running service."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from service.telemetry.logs import TOGGLE
from tests.e2e.broker import Sent, headers
from tests.e2e.process import Service, environment
from tests.e2e.stage import ACCOUNT, LOCATION, Stage, open_location, stop
from tests.support.wait import until

NAME, PHONE, EMAIL, WORD = "Kanarina", "+4790077123", "kanarina@birds.example", "kanarina_word"
GUEST = {"first_name": NAME, "last_name": NAME, "phone": PHONE, "email": EMAIL}
CONTACT = {"name": NAME, "first_name": NAME, "last_name": NAME, "phone": PHONE, "email": EMAIL}
TIMES = {"starts_at": "2099-12-24T18:00:00Z", "ends_at": "2099-12-24T20:00:00Z"}
BOOKING: dict[str, Any] = {"guest": GUEST, "notes": f"{NAME} {PHONE} {EMAIL}"}
NEEDLES = (NAME.lower(), PHONE[1:], EMAIL)


def command(kind: str, name: str, command_id: str, data: dict[str, Any], **more: str) -> Sent:
    """A command about one aggregate."""
    topic = "internal-commands" if kind == "location" else f"{kind}-commands"
    key = str(data[f"{kind}_id"]).encode()
    value = json.dumps({"account_id": ACCOUNT, **data}).encode()
    return Sent(topic, key, value, headers(command_id, name, **more))


def _sound() -> list[Sent]:
    return [
        command(
            "booking",
            "create-booking",
            "1",
            {"booking_id": "b-1", "location_id": LOCATION, "graph": "instant", "booking": {**TIMES, **BOOKING}},
        ),
        command("booking", "update-booking", "2", {"booking_id": "b-1", "patch": BOOKING, "reason": NAME}),
        command("booking", "state-action", "3", {"booking_id": "b-1", "action": "cancel", "reason": EMAIL}),
        command("visit", "create-visit", "4", {"visit_id": "v-1", "location_id": LOCATION, "visit": CONTACT}),
        command("visit", "update-visit", "5", {"visit_id": "v-1", "patch": CONTACT, "reason": NAME}),
    ]


def _refused() -> list[Sent]:
    wrong = {**BOOKING, NAME: EMAIL, "starts_at": PHONE}
    return [
        command("booking", "create-booking", "r1", {"booking_id": "b-2", "booking": wrong, EMAIL: NAME}),
        command("booking", "update-booking", "r2", {"booking_id": "b-1", "patch": {"guest": NAME, "starts_at": EMAIL}}),
        command("booking", "state-action", "r3", {"booking_id": "b-1", "action": WORD, "inputs": {WORD: NAME}}),
        command("booking", "update-booking", "r4", {"booking_id": "nobody", "patch": BOOKING}),
        command("visit", "create-visit", "r5", {"visit_id": "v-2", "visit": {"phone": NAME, "email": PHONE}}),
        command("visit", "update-visit", "r6", {"visit_id": "v-1", "patch": {"phone": EMAIL, NAME: NAME}}),
        command("location", "configure-location", "r7", {"location_id": LOCATION, "settings": {NAME: EMAIL}}),
        command("booking", "update-booking", "2", {"booking_id": "b-1", "patch": {"notes": EMAIL}}),
    ]


def _dead() -> list[Sent]:
    good, key = headers("d", "update-booking"), b"b-1"
    told = json.dumps({"account_id": ACCOUNT, "booking_id": "b-1", "notes": f"{NAME} {PHONE} {EMAIL}"}).encode()
    return [
        Sent("booking-commands", key, told[:-5], good),
        Sent("booking-commands", EMAIL.encode(), told, headers("d", NAME)),
        Sent("booking-commands", key, f'["{NAME}"]'.encode(), good),
        Sent("booking-commands", key, told, [*good, ("x-name", NAME.encode() + b"\xff")]),
        Sent("booking-commands", key, told.ljust(300_000), good),
        Sent("visit-commands", PHONE.encode(), json.dumps({"visit_id": {NAME: EMAIL}}).encode(), good),
        Sent("booking-commands", key, told, [("authorization", EMAIL.encode())]),
    ]


@pytest.mark.timeout(150)
async def test_a_person_in_every_command_is_in_no_log(stage: Stage, tmp_path: Path) -> None:
    """Sound, refused, repeated and undecodable ones, at DEBUG; and every line is JSON."""
    settings = environment(stage.broker, stage.database_url, BOOKSTREAM_LOG_LEVEL="DEBUG")
    with Service(settings, tmp_path) as service:
        await service.ready()
        await open_location(stage)
        for sent in (_sound(), _sound(), _refused(), _dead()):
            await stage.send(sent)
            await stage.settle()
        shown = [await asyncio.to_thread(service.get, path) for path in ("/livez", "/readyz", "/metrics")]
        service.signal(TOGGLE)
        await until(lambda: "the log level is INFO now" in service.log.read_text())
        assert await stop(service) == 0
    outcomes = {(one["status"], one["command_id"]) for one in (await stage.results()).values()}
    assert len([one for one in outcomes if one[0] != 200]) >= len(_refused()) - 1
    assert await stage.broker.count(["commands-dlq"]) == len(_dead())
    events = [record.value or b"" for record in await stage.broker.read(["booking-events", "visit-events"])]
    assert NAME.encode() in b"".join(events), "the canary has been through"
    text = service.log.read_text() + "".join(body for _, body in shown)
    assert [needle for needle in NEEDLES if needle in text.lower()] == []
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert {"timestamp", "severity_text", "severity_number", "body", "scope", "resource"} <= lines[0].keys()
    assert {line["severity_text"] for line in lines} >= {"DEBUG", "INFO"}
