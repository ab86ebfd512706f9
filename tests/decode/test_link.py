from datetime import UTC, datetime
from typing import Any

import pytest

from service.decode.record import decode
from service.domain.actor import Actor
from service.domain.commands import StateAction
from service.domain.link import Link
from service.domain.model import Refused
from service.links.token import Bearer, Kind, write_token
from service.received import Question, Received
from service.record import Record
from tests.support.records import APPENDED, APPENDED_MS, REPLY_TOPICS, act, record, update

SECRETS = {1: b"1" * 32, 2: b"2" * 32}
EXPIRES = datetime(2026, 12, 24, 20, 0, tzinfo=UTC)
EXPIRES_MS = int(EXPIRES.timestamp() * 1000)
LINK = Link("cancel", 3, EXPIRES)


def token(
    account_id: str = "acc-1", kind: Kind = "booking", aggregate_id: str = "b-1", link: Link = LINK, key_id: int = 1
) -> str:
    """A token that is ours."""
    return write_token(Bearer(key_id, account_id, kind, aggregate_id, link), SECRETS[key_id])


def body(made: Record) -> Question | Refused:
    """What a record asks, or why it is refused."""
    found = decode(made, REPLY_TOPICS, SECRETS)
    assert isinstance(found, Received)
    return found.body


def refused(made: Record) -> tuple[str, list[str]]:
    """Detail and pointers of a refusal."""
    found = body(made)
    assert isinstance(found, Refused), found
    return found.reason.value, [fault.pointer for fault in found.faults]


def redeemed(made: Record) -> StateAction:
    """The command of a customer."""
    found = body(made)
    assert isinstance(found, Question), found
    assert found.context.actor is Actor.CUSTOMER
    assert isinstance(found.command, StateAction)
    return found.command


def test_a_link_makes_the_sender_a_customer() -> None:
    """A link of ours lets its bearer ask as a customer, whichever key signed it; without one the channel tells who."""
    for key_id in SECRETS:
        assert redeemed(record("state-action", act("b-1", "cancel", link=token(key_id=key_id)))).link == LINK
    for data in (act("b-1", "cancel"), act("b-1", "cancel", link=None)):
        found = body(record("state-action", data))
        assert isinstance(found, Question)
        assert found.context.actor is Actor.EXTERNAL


def test_a_link_of_a_visit() -> None:
    """Visits have links of their own on their own channel."""
    data = {"account_id": "acc-1", "visit_id": "v-1", "action": "cancel"}
    redeemed(record("state-action", data | {"link": token(kind="visit", aggregate_id="v-1")}))
    assert refused(record("state-action", data | {"link": token(aggregate_id="v-1")})) == ("invalid_signature", [])


def test_an_account_that_is_a_number() -> None:
    """Ids are compared as they are kept: an integer is its decimal string."""
    data = {"account_id": 7, "booking_id": 8, "action": "cancel", "link": token("7", aggregate_id="8")}
    redeemed(record("state-action", data, key=b"8"))


@pytest.mark.parametrize(
    "link",
    [
        token("acc-2"), token(kind="visit"), token(aggregate_id="b-2"), token(link=Link("confirm", 3, EXPIRES)),
        write_token(Bearer(3, "acc-1", "booking", "b-1", LINK), b"1" * 32), token()[:-1], token() + "x", "", "token",
        "x" * 300, "\u00e6", f"{token()}\n",
    ],
)  # fmt: skip
def test_a_link_for_something_else(link: str) -> None:
    """What is not ours, or not for this account, booking and action, proves nothing."""
    assert refused(record("state-action", act("b-1", "cancel", link=link))) == ("invalid_signature", [])


def test_both_sides_of_the_expiry() -> None:
    """A link is good at the instant at which it expires, and stale a millisecond later; that it is ours comes first."""
    data = act("b-1", "cancel", link=token())
    redeemed(record("state-action", data, timestamp=EXPIRES_MS))
    assert refused(record("state-action", data, timestamp=EXPIRES_MS + 1)) == ("stale_signature", [])
    other = act("b-2", "cancel", link=token())
    assert refused(record("state-action", other, timestamp=EXPIRES_MS + 1)) == ("invalid_signature", [])


def test_the_clock_of_the_broker_tells() -> None:
    """Whether a link has expired is judged by the record's append time, whatever time the sender claims."""
    data = act("b-1", "cancel", link=token(link=Link("cancel", 3, APPENDED)))
    redeemed(record("state-action", data, timestamp=APPENDED_MS, ce_time="2030-01-01T00:00:00Z"))
    late = record("state-action", data, timestamp=APPENDED_MS + 1, ce_time="2020-01-01T00:00:00Z")
    assert refused(late) == ("stale_signature", [])


def test_a_link_is_proved_before_the_body() -> None:
    """What a stranger writes beside a link that is not ours is not looked at; a customer is told all of it."""
    forged = act("b-1", "cancel", link="x", colour="red", expected_version=0)
    assert refused(record("state-action", forged)) == ("invalid_signature", [])
    proved = forged | {"link": token()}
    assert refused(record("state-action", proved)) == ("invalid_field", ["/expected_version", "/colour"])
    assert refused(record("state-action", act("b-1", "cancel", link=token()), key=b"b-2"))[0] == "key_mismatch"
    elsewhere = record("state-action", act("b-1", "cancel", link=token()), topic="visit-commands")
    assert refused(elsewhere) == ("wrong_topic", ["/booking_id"])


@pytest.mark.parametrize("link", [5, True, [], {"token": "x"}, "x" * 301])
def test_what_can_be_no_link(link: object) -> None:
    """A member that holds no text, or one that is too long, is a fault of the body."""
    assert refused(record("state-action", act("b-1", "cancel", link=link))) == ("invalid_field", ["/link"])


def test_a_link_elsewhere() -> None:
    """No other command knows links, and internal systems act in their own name or not at all."""
    assert refused(record("update-booking", update() | {"link": token()})) == ("unknown_field", ["/link"])
    made = record("state-action", act("b-1", "cancel", link=token()), topic="internal-commands")
    assert refused(made) == ("invalid_field", ["/link"])


def test_an_action_that_is_missing() -> None:
    """Exactly one of action and state is needed beside a link too; a state is compared where the booking is known."""
    data: dict[str, Any] = {"account_id": "acc-1", "booking_id": "b-1", "link": token()}
    assert refused(record("state-action", data)) == ("invalid_field", ["/action"])
    assert refused(record("state-action", data | {"action": "cancel", "state": "x"})) == ("invalid_field", ["/action"])
    assert refused(record("state-action", data | {"action": 5})) == ("invalid_signature", [])
    assert redeemed(record("state-action", data | {"state": "Cancelled"})).link == LINK


@pytest.mark.parametrize("account", [None, "", "a b"])
def test_a_missing_account(account: object) -> None:
    """An account that is missing is told as such, since the link itself is good."""
    data = act("b-1", "cancel", link=token()) | {"account_id": account}
    assert refused(record("state-action", data)) == ("invalid_field", ["/account_id"])
