import pytest

from service.domain.model import Refused
from tests.support.records import Headers, dead, question, received, record, update


def refused(attributes: Headers | None = None, **more: str | bytes | None) -> tuple[str, list[str]]:
    """The detail and the texts of the refusal of a command with these headers."""
    body = received(record("update-booking", update(), "c-1", attributes={**(attributes or {}), **more})).body
    assert isinstance(body, Refused)
    return body.reason, [fault.detail for fault in body.faults]


def test_names_in_any_case() -> None:
    """Header names are matched without regard to case."""
    plain = record("update-booking", update(), "c-1", ce_correlationid="k")
    loud = [(name.upper(), value) for name, value in plain.headers]
    made = record("x", update(), "x", headers=loud, ce_id=None, ce_source=None, ce_type=None, ce_specversion=None)
    assert received(made).envelope.correlation == "k"


def test_a_null_header_is_absent() -> None:
    """A header without a value counts as not there, also beside one of the same name."""
    question(record("update-booking", update(), headers=[("ce_correlationid", None), ("CE_ID", None)]))
    assert dead(record("update-booking", update(), ce_id=None)).reason == "missing_attribute"


@pytest.mark.parametrize("name", ["ce_id", "CE_Type", "traceparent", "x-unknown", "Content-Type"])
def test_a_repeated_header(name: str) -> None:
    """A repeated header is refused whatever it is, in any case, even with the same value."""
    extra = (name.lower(), b"1"), (name, b"1")
    body = received(record("update-booking", update(), "c-1", headers=extra)).body
    assert isinstance(body, Refused)
    assert (body.reason, body.faults[-1].detail) == ("invalid_field", f"header {name.lower()} is repeated")


def test_a_value_that_is_not_utf8() -> None:
    """One header that is not UTF-8 makes the record a dead letter, known to us or not."""
    for name in ("ce_id", "x-trace"):
        letter = dead(record("update-booking", update(), headers=[(name, b"\xff\xfe")]))
        assert (letter.reason, letter.detail) == ("header_not_utf8", f"header {name!r} is not UTF-8")


def test_a_name_that_is_not_utf8() -> None:
    """A header name that is not UTF-8 comes as surrogate escapes and makes the record a dead letter."""
    assert dead(record("update-booking", update(), headers=[("ce\udcff", b"x")])).reason == "header_not_utf8"


def test_thousands_of_headers() -> None:
    """Any number of unknown headers is ignored, any number of repeated ones named once."""
    question(record("update-booking", update(), headers=[(f"x-{n}", b"1") for n in range(20_000)]))
    body = received(record("update-booking", update(), headers=[("x", b"1")] * 100_000)).body
    assert isinstance(body, Refused)
    assert [fault.detail for fault in body.faults] == ["header x is repeated"]


def test_a_hundred_faults_at_most() -> None:
    """A refusal lists a hundred errors at most, each short and clean."""
    flood = [(f"ce_{n}\x00{'y' * 1000}", b"\x01") for n in range(3000)]
    body = received(record("update-booking", update(patch={"nope": 1}), headers=flood)).body
    assert isinstance(body, Refused)
    assert len(body.faults) == 100
    assert all(len(fault.detail) < 200 and fault.detail.isprintable() for fault in body.faults)


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_correlationid", "ce_whatever"])
def test_the_length_of_an_attribute(name: str) -> None:
    """An attribute has at most 500 characters, counted as such and not as bytes."""
    question(record("update-booking", update(), attributes={name: "é" * 500}))
    assert refused({name: "é" * 501}) == ("invalid_field", [f"{name}: expected at most 500 characters"])


def test_an_answer_never_shows_more_than_it_can() -> None:
    """An id or source that is too long or not clean is answered in a form that fits the contract."""
    found = received(record("update-booking", update(), "x" * 100_000, ce_source="a\x00b")).envelope
    assert (found.id, found.source) == ("x" * 499 + "…", "a\ufffdb")


@pytest.mark.parametrize("text", ["a\x00b", "tab\there", "line\nbreak", "\x7f", "\x85"])
def test_control_characters(text: str) -> None:
    """Attributes hold no control characters."""
    assert refused(ce_correlationid=text) == ("invalid_field", ["ce_correlationid: expected no control characters"])


def test_the_version_of_the_specification() -> None:
    """Only CloudEvents 1.0 is spoken."""
    for version in (None, "0.3", "1", "1.0 "):
        assert refused(ce_specversion=version)[1] == ["ce_specversion: expected 1.0"]


def test_replyto() -> None:
    """An acceptance goes to a topic of the allow-list only; an empty name is none."""
    assert received(record("update-booking", update(), ce_replyto="command-results")).envelope.reply_to
    assert received(record("update-booking", update(), ce_replyto="")).envelope.reply_to is None
    for topic in ("booking-events", "Command-Results", "command-results "):
        assert refused(ce_replyto=topic)[1] == ["ce_replyto: expected one of command-results"]


@pytest.mark.parametrize(
    "text", ["2026-12-01T09:05:00Z", "2026-12-01t09:05:00.123456789+02:00", "0001-01-01T00:00:00Z"]
)
def test_times(text: str) -> None:
    """Times are RFC 3339 with an offset."""
    question(record("update-booking", update(), ce_expirytime=text, ce_time=text))


@pytest.mark.parametrize(
    "text",
    ["2026-12-01", "2026-12-01T09:05:00", "2026-13-01T00:00:00Z", "2016-12-31T23:59:60Z", "", "1", "now",
     "0001-01-01T00:00:00+01:00", "2026-12-01T09:05:00+25:00"],
)  # fmt: skip
def test_wrong_times(text: str) -> None:
    """A time without an offset, or none at all, is refused and never taken for absent."""
    wanted = ("invalid_field", ["ce_expirytime: expected an RFC 3339 time with an offset"])
    assert refused(ce_expirytime=text) == wanted


def test_a_time_without_end() -> None:
    """A time with hundreds of digits is one fault, not two, and no expiry."""
    text = "2026-12-01T00:00:00." + "0" * 600 + "Z"
    assert refused(ce_expirytime=text)[1] == ["ce_expirytime: expected at most 500 characters"]
