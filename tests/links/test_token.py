import base64
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.link import Link
from service.links.token import MAX_TOKEN, Bearer, Kind, read_token, write_token

SECRET = b"k" * 32
EXPIRES = datetime(2026, 12, 24, 20, 0, 0, 123456, tzinfo=UTC)
BEARER = Bearer(7, "acc:1", "booking", "b-1.x_y", Link("cancel_by_customer", 3, EXPIRES))
TOKEN = write_token(BEARER, SECRET)
URL_SAFE = set(string.ascii_letters + string.digits + "-._~")
IDS = st.text(string.ascii_letters + string.digits + "._:-", min_size=1, max_size=64)
ACTIONS = st.from_regex("[a-z][a-z0-9]{0,20}(_[a-z0-9]{1,20}){0,2}", fullmatch=True)
MOMENTS = st.integers(0, 2 * 10**17).map(lambda count: EXPIRES + timedelta(microseconds=count))
KINDS: st.SearchStrategy[Kind] = st.sampled_from(("booking", "visit"))
LINKS = st.builds(Link, ACTIONS, st.integers(1, 2**63 - 1), MOMENTS)
BEARERS = st.builds(Bearer, st.integers(1, 2**31 - 1), IDS, KINDS, IDS, LINKS)


@given(BEARERS)
def test_a_token_says_what_it_was_made_for(bearer: Bearer) -> None:
    """Whoever has the key reads from a token exactly what went into it; it is fit for a URL and short enough."""
    token = write_token(bearer, SECRET)
    assert read_token(token, {bearer.key_id: SECRET}) == bearer
    assert set(token) <= URL_SAFE
    assert len(token) <= MAX_TOKEN


def test_the_longest_token() -> None:
    """With account, id and action of 64 characters each a token stays well under 300 characters."""
    last = datetime.max.replace(tzinfo=UTC)
    bearer = Bearer(2**31 - 1, "a" * 64, "visit", ":" * 64, Link("c" * 64, 2**63 - 1, last))
    token = write_token(bearer, SECRET)
    assert len(token) == 244
    assert read_token(token, {bearer.key_id: SECRET}) == bearer


def test_the_same_token_again() -> None:
    """The same bearer and key give the same bytes, and each other thing another token."""
    assert write_token(BEARER, SECRET) == TOKEN
    link = BEARER.link
    others = [
        BEARER._replace(key_id=8), BEARER._replace(account_id="acc:2"), BEARER._replace(kind="visit"),
        BEARER._replace(aggregate_id="b-1.x_z"), BEARER._replace(link=Link("confirm", link.version, link.expires_at)),
        BEARER._replace(link=Link(link.action, 4, link.expires_at)),
        BEARER._replace(link=Link(link.action, link.version, link.expires_at + timedelta(microseconds=1))),
    ]  # fmt: skip
    assert len({TOKEN, *(write_token(other, SECRET) for other in others)}) == len(others) + 1


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_every_character_counts(place: int) -> None:
    """A token with any one of its characters changed, left out or doubled is not ours."""
    for other in sorted(URL_SAFE - {TOKEN[place]}):
        assert read_token(TOKEN[:place] + other + TOKEN[place + 1 :], {7: SECRET}) is None
    assert read_token(TOKEN[:place] + TOKEN[place + 1 :], {7: SECRET}) is None
    assert read_token(TOKEN[:place] + TOKEN[place] + TOKEN[place:], {7: SECRET}) is None


@given(st.text(max_size=320) | st.text(sorted(URL_SAFE), min_size=50, max_size=320))
def test_any_text(text: str) -> None:
    """No text but one of ours is a token, and none breaks the reader."""
    assert read_token(text, dict.fromkeys((0, 7, 2**32 - 1), SECRET)) is None


@given(st.binary(min_size=23, max_size=23), st.sampled_from("acx~."), st.integers(0, 240))
def test_any_fields(fields: bytes, letter: str, length: int) -> None:
    """Fields of any content behind a signature that is not ours are refused, whatever lengths they claim."""
    head = base64.urlsafe_b64encode(fields + b"s" * 16).decode()
    key_id = int.from_bytes(fields[3:7], "big")
    assert read_token(head + letter * length, {key_id: SECRET}) is None


def test_what_lies_between_the_names_is_signed() -> None:
    """Account and id that are cut at another place make another token."""
    first = BEARER._replace(account_id="ab", aggregate_id="c")
    second = BEARER._replace(account_id="a", aggregate_id="bc")
    assert write_token(first, SECRET) != write_token(second, SECRET)


def test_another_key() -> None:
    """A token is refused without its key, and with another key of the same number."""
    assert read_token(TOKEN, {7: SECRET}) == BEARER
    for secrets in ({}, {8: SECRET}, {7: b"x" * 32}):
        assert read_token(TOKEN, secrets) is None


def test_no_blanks_around_it() -> None:
    """A token with a line end or padding is not ours: one link has one spelling."""
    for text in (f"{TOKEN}\n", f" {TOKEN}", f"{TOKEN}=", TOKEN.replace("~", ":"), TOKEN.replace("~", "%7E")):
        assert read_token(text, {7: SECRET}) is None
