"""Nothing in a message can raise its sender."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.headers import DLQ_HEADERS
from service.decode.record import decode
from service.decode.replay import as_at_first
from service.domain.actor import Actor
from service.outbox.dead_letter import dead_letter_row
from service.received import DeadLetter, Question, Received
from service.record import Record
from tests.support.records import REPLY_TOPICS, act, create, record, update, visit
from tests.support.rows import sent
from tests.support.signing import Known, client, signed

CLIENTS = Known({"c-7": client(), "c-victim": client("c-victim", bytes(24), account_id="acc-2")})
NAMES = sorted(
    {*DLQ_HEADERS, "ce_source", "ce_actor", "ce_type", "ce_subject", "actor", "authorization", "bookstream-client",
     "webhook-id", "x-forwarded-for", "DLQ_CLIENT", "Ce_Source"}
)  # fmt: skip
VALUES = ["", "internal", "system", "/bookstream", "/bookstream/clock", "internal-commands", "c-victim", "c-7", "1"]
headers = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES).map(str.encode)), max_size=6)
members: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["actor", "source", "channel", "internal", "link", "account_id", "client", "scopes"]),
    st.sampled_from([*VALUES, True, None, {}, ["internal"]]),
)
commands = st.sampled_from(
    [
        ("update-booking", update()),
        ("create-booking", create()),
        ("state-action", act("b-1", "close")),
        ("create-visit", visit()),
        ("configure-location", {"account_id": "acc-1", "location_id": "oslo", "settings": {}}),
    ]
)
topics = st.sampled_from(["booking-commands", "visit-commands"])


def received(made: Record) -> Received | None:
    """What becomes of a record where signatures are wanted; None for what is no command."""
    found = decode(made, REPLY_TOPICS, clients=CLIENTS)
    return found if isinstance(found, Received) else None


@given(commands, members, headers, headers, topics)
def test_a_client_is_never_more_than_external(
    command: tuple[str, dict[str, Any]],
    more: dict[str, Any],
    before: list[tuple[str, bytes]],
    after: list[tuple[str, bytes]],
    topic: str,
) -> None:
    """Whatever headers and members it adds, signed or not: it is an external of its own account, or refused."""
    name, data = command
    plain = record(name, {**data, **more}, topic=topic)
    own = {header for header, _ in plain.headers}
    extra = tuple((header, value) for header, value in before if header not in own)
    made = signed(plain._replace(headers=(*plain.headers, *extra)))
    found = received(made._replace(headers=(*made.headers, *after)))
    if found is not None and isinstance(found.body, Question):
        assert found.body.context.actor is Actor.EXTERNAL
        assert found.client == client()
        assert found.account_id.partition("!")[0] == "acc-1"
    unsigned = received(plain._replace(headers=(*plain.headers, *before, *after)))
    assert unsigned is None or not isinstance(unsigned.body, Question)


@given(commands, headers, topics)
def test_a_dead_letter_that_comes_again_is_no_more(
    command: tuple[str, dict[str, Any]], planted: list[tuple[str, bytes]], topic: str
) -> None:
    """Headers that a sender wrote, of the names of ours, verify nobody when an operator sends the letter again."""
    name, data = command
    plain = record(name, data, topic=topic)
    first = plain._replace(headers=(*plain.headers, *planted))
    letter = sent(dead_letter_row(DeadLetter(first, "internal_error", "x"), "2026-12-01T09:00:01Z"))
    replayed = as_at_first(Record("commands-replay", 0, 0, letter.key, letter.bytes, letter.raw, first.timestamp))
    assert isinstance(replayed, Record)
    found = received(replayed)
    assert found is None or not isinstance(found.body, Question)


def test_what_was_verified_stands_when_it_comes_again() -> None:
    """Without its signature being looked at, weeks later; a client that was switched off since is refused."""
    first = signed(record("update-booking", update()))
    letter = sent(dead_letter_row(DeadLetter(first, "internal_error", "x", "c-7"), "2026-12-01T09:00:01Z"))
    later = first.timestamp + 20 * 86_400_000
    replayed = as_at_first(Record("commands-replay", 0, 0, letter.key, letter.bytes, letter.raw, later))
    assert isinstance(replayed, Record)
    found = received(replayed)
    assert found is not None
    assert isinstance(found.body, Question)
    assert (found.body.context.actor, found.client) == (Actor.EXTERNAL, client())
    for known, detail in (
        (Known({"c-7": client(active=False)}), "api_config_inactive"),
        (Known({}), "invalid_api_key"),
    ):
        refused = decode(replayed, REPLY_TOPICS, clients=known)
        assert isinstance(refused, Received)
        assert not isinstance(refused.body, Question)
        assert refused.body.reason == detail


def test_a_letter_that_nobody_had_verified_is_judged_by_its_signature() -> None:
    """As of its first coming: what was signed in time then is taken, what was not is refused."""
    plain = record("update-booking", update())
    for made, expected in ((signed(plain), True), (plain, False)):
        letter = sent(dead_letter_row(DeadLetter(made, "internal_error", "x"), "2026-12-01T09:00:01Z"))
        later = made.timestamp + 20 * 86_400_000
        replayed = as_at_first(Record("commands-replay", 0, 0, letter.key, letter.bytes, letter.raw, later))
        assert isinstance(replayed, Record)
        found = received(replayed)
        assert found is not None
        assert isinstance(found.body, Question) is expected
