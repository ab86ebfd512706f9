"""What follows from a command goes on in its sender's trace, beneath a span that follows from the command alone."""

import re

from service.outbox.trace import own_traceparent
from tests.support.records import TRACEPARENT, received, record, update

FORM = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]")


def own(traceparent: str = TRACEPARENT, command_id: str = "c-1", note: str = "x", account: str = "acc-1") -> str:
    """The trace of a command's answers."""
    data = update(patch={"notes": note}) | {"account_id": account}
    found = own_traceparent(received(record("update-booking", data, command_id, traceparent=traceparent)))
    assert found is not None
    assert FORM.fullmatch(found)
    return found


def test_the_trace_goes_on() -> None:
    """Trace and flags are the sender's, the span is another one than the sender's."""
    for flags in ("00", "01", "02", "03"):
        traceparent = TRACEPARENT[:-2] + flags
        found = own(traceparent)
        assert (found[:36], found[52:]) == (traceparent[:36], traceparent[52:])
        assert found[36:52] != traceparent[36:52]


def test_the_same_command_has_the_same_span() -> None:
    """Also when it comes again; another id, content or account has another."""
    assert own() == own() == own(TRACEPARENT[:36] + "1" * 16 + TRACEPARENT[52:])
    assert len({own(), own(command_id="c-2"), own(note="y"), own(account="acc-2")}) == 4


def test_the_span_is_for_ever() -> None:
    """Events are stored as bytes and may be made again by a later release."""
    assert own() == "00-4bf92f3577b34da6a3ce929d0e0e4736-dba7a2b78749936f-01"


def test_without_a_trace() -> None:
    """A command without a trace gives none to its answers."""
    assert own_traceparent(received(record("update-booking", update()))) is None
