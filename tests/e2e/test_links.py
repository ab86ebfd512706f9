"""Action links on real servers: from the event that offers one to the guest's command that takes it up."""

import asyncio
from typing import Any

from tests.e2e.broker import Sent, configure
from tests.e2e.stage import ACCOUNT, LOCATION, Stage, booking_command, create


def redeem(booking_id: str, command_id: str, token: str) -> Sent:
    """A guest's command."""
    return booking_command("state-action", booking_id, command_id, {"action": "cancel_by_customer", "link": token})


async def last_links(stage: Stage) -> dict[str, Any]:
    """The links of the latest event of each booking."""
    events = sorted(await stage.events(), key=lambda event: event.body["version"])
    return {event.body["booking_id"]: event.body["links"] for event in events}


async def test_a_link_is_redeemed_once_whoever_decides(stage: Stage) -> None:
    """A link that one process has handed out is redeemed in another one, once, and stays used after both are killed."""
    with stage.service() as first, stage.service("worker") as second:
        await asyncio.gather(first.ready(), second.ready())
        await stage.send([configure(ACCOUNT, LOCATION, {"action_links": True})])
        await stage.settle()
        bookings = [f"b-{number}" for number in range(12)]
        await stage.send(create(name) for name in bookings)
        await stage.settle()
        given = {name: links["cancel_by_customer"]["token"] for name, links in (await last_links(stage)).items()}
        first.kill()
        second.kill()
        second.start()
        first.start()
        await stage.send(redeem(name, f"{attempt}-{name}", given[name]) for attempt in range(3) for name in bookings)
        await stage.settle()
        await stage.send(redeem(name, f"late-{name}", given[name]) for name in bookings)
        await stage.settle()
        events = [event.body for event in await stage.events()]
        refused = [result["detail"] for result in (await stage.results()).values()]
        logs = first.log.read_text() + second.log.read_text()
    customers = [event["booking_id"] for event in events if event["actor"] == "customer"]
    assert sorted(customers) == sorted(bookings)
    assert refused == ["link_used"] * 36
    assert not [token for token in given.values() if token[:52] in logs]
