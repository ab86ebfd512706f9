"""A person is erased by the command line while the service runs; the events tell it."""

import json

import pytest

from tests.cli.command_line import finished
from tests.e2e.process import environment
from tests.e2e.stage import ACCOUNT, Stage, create, open_location, update

pytestmark = pytest.mark.timeout(120)

WHO = ("--account", ACCOUNT, "--phone", "+47 900 90 090", "--json")
GUEST = {"first_name": "Canary", "phone": "+4790090090"}


async def test_a_person_is_erased(stage: Stage) -> None:
    """A look changes nothing; the erasure blanks every booking of theirs and no other, and says what stays where."""
    settings = environment(stage.broker, stage.database_url)
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        theirs = [f"b-{number}" for number in range(30)]
        await stage.send(create(name, guest=GUEST, notes="canary") for name in theirs)
        await stage.send([create("other", guest={"phone": "+4790090091"}, notes="window")])
        await stage.settle()
        code, out, said = await finished(settings, ["erase", *WHO, "--dry-run"])
        assert code == 0, said
        assert (json.loads(out)["bookings"], json.loads(out)["visits"]) == (30, 0)
        code, out, said = await finished(settings, ["erase", *WHO, "--reason", "request 4711"])
        assert code == 0, said
        report = json.loads(out)
        await stage.send([update("other", "last", comment="x")])
        # The commands of the erasure are records too.
        stage.sent += len(theirs)
        await stage.settle()
        events = {event.body["booking_id"]: event.body for event in await stage.events() if event.body["version"] == 2}
    assert (report["bookings"], report["dry_run"], report["days_in_topics"]["booking-events"]) == (30, False, 7)
    assert set(events) == {*theirs, "other"}
    blanked = [events[name] for name in theirs]
    assert "anary" not in json.dumps(blanked)
    assert "90090090" not in json.dumps(blanked)
    told = {(event["reason"], event["actor"], event["silent"]) for event in blanked}
    assert told == {("request 4711", "internal", True)}
    assert {tuple(event["changes"]) for event in blanked} == {("guest", "notes")}
    assert events["other"]["booking"]["notes"] == "window"
