from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.client import Client, Secret
from service.decode.record import decode
from service.decode.signature import MAX_AGE_MS, MOST_SIGNATURES
from service.domain.actor import Actor
from service.domain.model import Refused
from service.received import Question, Received
from service.record import Record
from tests.support.records import APPENDED_MS, REPLY_TOPICS, act, create, location, record, update, visit
from tests.support.signing import (
    BOTH,
    KEY,
    OTHER_KEY,
    Known,
    client,
    header_of,
    secret_of,
    signed,
    structured,
    with_header,
)

Change = Callable[[Record], Record]


def judged(made: Record, *clients: Client) -> Received:
    """What is received of a record where these clients are known."""
    found = decode(made, REPLY_TOPICS, clients=Known({each.client_id: each for each in clients or (client(),)}))
    assert isinstance(found, Received), found
    return found


def detail(made: Record, *clients: Client) -> str:
    """The reason of a refusal, or `taken`."""
    body = judged(made, *clients).body
    return body.reason.value if isinstance(body, Refused) else "taken"


def plain() -> Record:
    """A sound command that nobody signed."""
    return record("update-booking", update(), "c-1", ce_time="2026-12-01T08:59:59Z", ce_correlationid="order: 7")


def _bare(made: Record) -> bytes:
    return header_of(made, "webhook-signature").removeprefix(b"bs1,")


def test_a_signed_command_is_its_clients() -> None:
    """Actor, account and client are known by the signature."""
    received = judged(signed(plain()))
    assert isinstance(received.body, Question)
    assert received.body.context.actor is Actor.EXTERNAL
    assert received.client == client()
    assert received.account_id == "acc-1"


def test_internal_commands_need_no_signature() -> None:
    """The broker's ACL protects them; a signature there proves nothing more."""
    assert detail(record("update-booking", update(), topic="internal-commands")) == "taken"
    assert detail(location()) == "taken"
    received = judged(signed(record("update-booking", update(), topic="internal-commands")))
    assert isinstance(received.body, Question)
    assert received.body.context.actor is Actor.INTERNAL


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: plain(), "invalid_signature"),
        (lambda made: with_header(made, "webhook-signature", None), "invalid_signature"),
        (lambda made: with_header(made, "webhook-signature", b""), "invalid_signature"),
        (lambda made: with_header(made, "webhook-signature", b"bs1,"), "invalid_signature"),
        (
            lambda made: with_header(made, "webhook-signature", header_of(made, "webhook-signature")[4:]),
            "invalid_signature",
        ),
        (
            lambda made: with_header(made, "webhook-signature", b"v1," + header_of(made, "webhook-signature")[4:]),
            "invalid_signature",
        ),
        (lambda made: with_header(made, "webhook-signature", "bs1,é".encode()), "invalid_signature"),
        (lambda made: with_header(made, "bookstream-client", None), "invalid_signature"),
        (lambda made: with_header(made, "bookstream-client", b"c-8"), "invalid_api_key"),
        (lambda made: with_header(made, "bookstream-client", b""), "invalid_api_key"),
        (lambda made: with_header(made, "bookstream-client", b"c-7 "), "invalid_api_key"),
        (lambda made: with_header(made, "bookstream-client", b"c" * 65), "invalid_api_key"),
        (lambda made: with_header(made, "webhook-id", None), "invalid_signature"),
        (lambda made: with_header(made, "webhook-id", b"c-2"), "invalid_signature"),
        (lambda made: with_header(made, "webhook-timestamp", None), "invalid_signature"),
        (lambda made: with_header(made, "webhook-timestamp", b"soon"), "invalid_signature"),
        (lambda made: with_header(made, "webhook-timestamp", b"-1"), "invalid_signature"),
        (lambda made: with_header(made, "webhook-timestamp", b"1" * 13), "invalid_signature"),
        (lambda made: with_header(made, "webhook-timestamp", "\u0661".encode()), "invalid_signature"),
        (lambda made: with_header(made, "webhook-timestamp", b"1796115601"), "invalid_signature"),
        (lambda made: made._replace(key=b"b-2"), "invalid_signature"),
        (lambda made: made._replace(topic="visit-commands"), "invalid_signature"),
        (lambda made: made._replace(value=(made.value or b"") + b" "), "invalid_signature"),
        (lambda made: with_header(made, "ce_time", b"2026-12-01T08:59:58Z"), "invalid_signature"),
        (lambda made: with_header(made, "ce_time", None), "invalid_signature"),
        (lambda made: with_header(made, "ce_expirytime", b"2030-12-01T08:59:58Z"), "invalid_signature"),
        (lambda made: with_header(made, "content-type", b"application/x+json"), "invalid_signature"),
        (lambda made: with_header(made, "traceparent", b"00-1-2-3"), "taken"),
        (lambda made: made._replace(headers=tuple(reversed(made.headers))), "taken"),
        (lambda made: made._replace(headers=tuple((name.upper(), value) for name, value in made.headers)), "taken"),
        (lambda made: made._replace(partition=3, offset=99), "taken"),
    ],
)
def test_what_a_signature_covers(change: Change, expected: str) -> None:
    """Topic, key, attributes, client, time and body are signed; place, order and case of headers are not."""
    assert detail(change(signed(plain()))) == expected


def test_a_colon_moved_between_name_and_value_is_noticed() -> None:
    """Attributes can't be renamed so that the signed line stays as it is."""
    made = signed(record("update-booking", update(), ce_expirytime="2026-12-01T09:05:00Z"))
    moved = with_header(made, "ce_expirytime", None)
    moved = with_header(moved, "ce_expirytime:2026-12-01T09", b"05:00Z")
    assert detail(made) == "taken"
    assert detail(moved) == "invalid_signature"


@pytest.mark.parametrize("injected", ["ce_time:x\nce_y", "a\nb", "a\rb", "a\x00b", "a\x7fb", "a\x85b"])
def test_control_characters_are_refused(injected: str) -> None:
    """Nothing that could end a line is verified, in keys and header values."""
    with pytest.raises(ValueError, match="control characters"):
        signed(record("update-booking", update(), ce_subject=injected))
    with pytest.raises(ValueError, match="control characters"):
        signed(record("update-booking", update(), key=injected.encode()))
    assert detail(with_header(signed(plain()), "ce_subject", injected.encode())) == "invalid_signature"
    assert detail(signed(plain())._replace(key=injected.encode())) == "invalid_signature"


@pytest.mark.parametrize(
    "name", ["ce_id", "CE_Type", "ce_unknown", "content-type", "Bookstream-Client", "webhook-id", "webhook-signature"]
)
def test_a_repeated_header_that_is_signed_is_refused(name: str) -> None:
    """Of two values nobody can say which one was signed."""
    made = signed(record("update-booking", update(), "c-1", ce_unknown="x"))
    assert detail(made) == "taken"
    again = made._replace(headers=(*made.headers, (name, header_of(made, name.lower()))))
    assert detail(again) == "invalid_signature"


def test_another_repeated_header_is_a_fault() -> None:
    """What is not signed is refused like in any command, once it is known who sends it."""
    made = signed(plain())
    assert detail(made._replace(headers=(*made.headers, ("x", b"1"), ("X", b"2")))) == "invalid_field"


@pytest.mark.parametrize("place", [0, 1, MOST_SIGNATURES - 1])
def test_one_of_several_signatures_verifies(place: int) -> None:
    """Signatures are separated by blanks, in any order, those of other versions among them."""
    right = header_of(signed(plain()), "webhook-signature")
    others = [b"v1,abc", b"bs1,abc", b"v2,x"] * 6
    given = [*others[:place], right, *others[place : MOST_SIGNATURES - 1]]
    assert len(given) == MOST_SIGNATURES
    assert detail(with_header(signed(plain()), "webhook-signature", b" ".join(given))) == "taken"
    assert detail(with_header(signed(plain()), "webhook-signature", b" ".join(others))) == "invalid_signature"


def test_guesses_without_number_are_not_looked_at() -> None:
    """Beyond sixteen values a signature is not looked for."""
    right = header_of(signed(plain()), "webhook-signature")
    given = b" ".join([*[b"bs1,abc"] * MOST_SIGNATURES, right])
    assert detail(with_header(signed(plain()), "webhook-signature", given)) == "invalid_signature"


def test_each_live_secret_verifies() -> None:
    """While a secret is being replaced both sign; one that ended signs no more from that millisecond on."""
    for key in (KEY, OTHER_KEY):
        assert detail(signed(plain(), secret=secret_of(key)), client("c-7", KEY, OTHER_KEY)) == "taken"
    assert detail(signed(plain(), secret=secret_of(OTHER_KEY))) == "invalid_signature"
    assert detail(signed(plain()), Client("acc-1", "c-7", BOTH, True, ())) == "invalid_signature"  # noqa: FBT003
    for ends, expected in ((APPENDED_MS + 1, "taken"), (APPENDED_MS, "invalid_signature")):
        ending = Client("acc-1", "c-7", BOTH, True, (Secret(KEY, ends),))  # noqa: FBT003
        assert detail(signed(plain()), ending) == expected


@pytest.mark.parametrize("sign", [1, -1])
def test_staleness_is_exact(sign: int) -> None:
    """Five minutes either way are fine to the millisecond, judged by the broker's append time."""
    stamp = APPENDED_MS // 1000 * 1000
    assert stamp == APPENDED_MS
    on_time = signed(plain()._replace(timestamp=stamp))
    assert detail(on_time._replace(timestamp=stamp + sign * MAX_AGE_MS)) == "taken"
    assert detail(on_time._replace(timestamp=stamp + sign * (MAX_AGE_MS + 1))) == "stale_signature"


def test_who_can_not_sign_learns_nothing_of_a_client() -> None:
    """Whether a client is on, and what its scopes are, is told to itself alone."""
    off = client(active=False, scopes=frozenset())
    assert detail(plain(), off) == "invalid_signature"
    assert detail(with_header(plain(), "bookstream-client", b"c-7"), off) == "invalid_signature"
    assert detail(signed(plain()), off) == "api_config_inactive"
    assert detail(signed(plain()), client(scopes=frozenset())) == "scope_denied"


def test_ids_that_can_be_nobodys_are_not_looked_up() -> None:
    """A header that is no id never reaches the database."""
    known = Known()
    for wrong in (b"", b"c 7", b"x" * 65, "é".encode(), b"a!b"):
        assert isinstance(
            decode(with_header(signed(plain()), "bookstream-client", wrong), REPLY_TOPICS, clients=known), Received
        )
    assert known.asked == []


@pytest.mark.parametrize(
    ("made", "scope"),
    [
        (record("update-booking", update()), "bookings:write"),
        (record("create-booking", create()), "bookings:write"),
        (record("state-action", act("b-1", "cancel")), "bookings:write"),
        (record("create-visit", visit()), "visits:write"),
        (record("update-visit", {"account_id": "acc-1", "visit_id": "v-1", "patch": {}}), "visits:write"),
        (record("state-action", {"account_id": "acc-1", "visit_id": "v-1", "action": "serve"}), "visits:write"),
    ],
)
def test_scopes(made: Record, scope: str) -> None:
    """Each command needs the scope of its kind, and no other."""
    assert detail(signed(made), client(scopes=frozenset({scope}))) == "taken"
    assert detail(signed(made), client(scopes=BOTH - {scope})) == "scope_denied"


def test_authentication_goes_before_everything_in_the_body() -> None:
    """Who is nobody learns nothing about a command that is wrong, on the wrong topic, or of the service."""
    wrong = update(patch={"colour": 1})
    for made in (
        record("update-booking", wrong),
        record("update-booking", update(), topic="visit-commands"),
        record("update-booking", update(), ce_source="/bookstream"),
        location()._replace(topic="booking-commands"),
        record("update-booking", update(), key=b"b-2"),
    ):
        assert detail(made) == "invalid_signature"
        assert detail(signed(made)) not in ("taken", "invalid_signature")


def test_the_account_may_be_left_out() -> None:
    """The client's is taken; what can't be an account is a fault of the body."""
    data = update()
    del data["account_id"]
    received = judged(signed(record("update-booking", data)))
    assert isinstance(received.body, Question)
    assert received.account_id == received.body.context.account_id == "acc-1"
    assert detail(signed(record("update-booking", {**data, "account_id": None}))) == "invalid_field"
    assert detail(signed(record("update-booking", {**data, "account_id": "a b"}))) == "invalid_field"


def test_an_account_written_as_a_number_is_the_same() -> None:
    """An integer id is its digits."""
    received = judged(signed(record("update-booking", update(account_id=7))), client(account_id="7"))
    assert received.account_id == "7"


def test_another_account_is_nobodys() -> None:
    """It is kept apart from every account there can be, and shown as it was named."""
    received = judged(signed(record("update-booking", update(account_id="acc-2"))))
    assert received.account_id == "acc-1!acc-2"
    assert received.shown_account == "acc-2"


def test_structured_mode_is_signed_by_standard_webhooks() -> None:
    """`v1` over id, time and body; `bs1` is not for it."""
    made = signed(structured("update-booking", update()))
    assert header_of(made, "webhook-signature").startswith(b"v1,")
    assert detail(made) == "taken"
    assert detail(made._replace(value=(made.value or b"") + b" ")) == "invalid_signature"
    assert detail(with_header(made, "webhook-timestamp", b"1796115601")) == "invalid_signature"
    assert detail(with_header(made, "webhook-id", b"c-2")) == "invalid_signature"
    assert detail(with_header(made, "webhook-id", None)) == "invalid_signature"
    as_binary = b"bs1," + header_of(made, "webhook-signature")[3:]
    assert detail(with_header(made, "webhook-signature", as_binary)) == "invalid_signature"


def test_standard_webhooks_are_not_for_binary_mode() -> None:
    """There the attributes are headers, which `v1` does not cover."""
    envelope = structured("update-booking", update())
    right = header_of(signed(envelope), "webhook-signature")
    made = signed(record("update-booking", None)._replace(value=envelope.value))
    assert detail(with_header(signed(plain()), "webhook-signature", right)) == "invalid_signature"
    assert made.value == envelope.value


@given(st.binary(max_size=300), st.integers(0, 9), st.binary(max_size=60))
@example(b"", 0, b"")
def test_whatever_was_altered_is_refused(value: bytes, place: int, other: bytes) -> None:
    """Any other body, header value or key ends in a refusal or a dead letter, never in a command that is taken."""
    made = signed(plain())
    name, before = made.headers[place % len(made.headers)]
    for altered in (made._replace(value=value), with_header(made, name, other), made._replace(key=other)):
        found = decode(altered, REPLY_TOPICS, clients=Known())
        same = altered.value == made.value and altered.key == made.key and (name, other) == (name, before)
        assert same or altered == made or not isinstance(found, Received) or isinstance(found.body, Refused)
