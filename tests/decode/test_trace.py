"""A sender's trace is taken as W3C Trace Context says, and never stands in the way of a command."""

from typing import Any

import pytest

from tests.decode.test_modes import envelope, structured
from tests.support.records import TRACEPARENT, question, received, record, update

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def taken(text: str | None) -> str | None:
    """The trace that is taken from a header of a command that is sound."""
    made = record("update-booking", update(), traceparent=text)
    question(made)
    return received(made).envelope.traceparent


@pytest.mark.parametrize(
    ("flags", "kept"), [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("f8", "00")]
)
def test_flags(flags: str, kept: str) -> None:
    """The two flags that have a meaning are kept, the rest is none of ours."""
    assert taken(f"00-{TRACE}-{SPAN}-{flags}") == f"00-{TRACE}-{SPAN}-{kept}"


@pytest.mark.parametrize("text", [f"cc-{TRACE}-{SPAN}-01", f"01-{TRACE}-{SPAN}-01-what-comes-later"])
def test_a_later_version(text: str) -> None:
    """What is known of it is read, and goes on as version 00."""
    assert taken(text) == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00-1-2-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f'00-{TRACE}-{SPAN}-0"',
        "x" * 100_000,
    ],
)
def test_what_is_no_trace(text: str | None) -> None:
    """It is ignored: the command is as sound as without it."""
    assert taken(text) is None


@pytest.mark.parametrize("value", [f"00-{'x' * 600}", 5, {"a": 1}, ["x"], "a\x00b", None])
@pytest.mark.parametrize("name", ["traceparent", "tracestate"])
def test_what_is_no_trace_in_an_envelope(name: str, value: Any) -> None:
    """Nor does a member of a structured envelope refuse the command, whatever it is."""
    made = structured(envelope(data=update(), **{name: value}))
    question(made)
    assert received(made).envelope.traceparent is None


def test_the_header_goes_before_the_envelope() -> None:
    """A proxy on the way knows better than who wrote the envelope."""
    made = structured(envelope(data=update(), traceparent=f"00-{TRACE}-{SPAN}-00"))
    assert received(made).envelope.traceparent == f"00-{TRACE}-{SPAN}-00"
    again = made._replace(headers=(*made.headers, ("traceparent", TRACEPARENT.encode())))
    assert received(again).envelope.traceparent == TRACEPARENT
