import json
from typing import Any

import pytest

from service.cli.lines import LineError, Outgoing, Remark, read_line

CANCEL = {"account_id": "acc-1", "booking_id": "b-1", "action": "cancel"}


def read(**members: Any) -> Outgoing:
    line = read_line(json.dumps(members), 1)
    assert isinstance(line, Outgoing)
    return line


def header(line: Outgoing, name: str) -> str | None:
    return next((value.decode() for found, value in line.headers if found == name), None)


@pytest.mark.parametrize(
    ("kind", "data", "more", "topic", "key"),
    [
        ("create-booking", {"booking_id": "b-1", "location_id": "oslo"}, {}, "booking-commands", b"b-1"),
        ("update-visit", {"visit_id": 7}, {}, "visit-commands", b"7"),
        ("state-action", {"visit_id": "v-1"}, {}, "visit-commands", b"v-1"),
        ("state-action", {"booking_id": "b-1"}, {"internal": True}, "internal-commands", b"b-1"),
        ("configure-location", {"location_id": "oslo"}, {}, "internal-commands", b"oslo"),
        ("update-booking", {"booking_id": "b-1"}, {"topic": "visit-commands", "key": "b-2"}, "visit-commands", b"b-2"),
        ("update-booking", {}, {}, "booking-commands", None),
        ("update-booking", [1], {}, "booking-commands", None),
        ("update-booking", {"booking_id": "b-1"}, {"key": None}, "booking-commands", None),
    ],
)
def test_a_command_goes_where_it_belongs(
    kind: str, data: Any, more: dict[str, Any], topic: str, key: bytes | None
) -> None:
    """Topic and key follow from the command, and a line may say otherwise."""
    line = read(type=kind, data=data, **more)
    assert (line.topic, line.key) == (topic, key)
    assert json.loads(line.value or b"") == data


def test_headers_follow_from_the_members() -> None:
    """Every member of a line has its header; the line's own headers go before, and null leaves one out."""
    line = read(
        type="state-action",
        id="c-1",
        source="//pos",
        correlation_id="order-1",
        expires_at="2030-01-01T00:00:00Z",
        traceparent="00-x",
        headers={"content-type": None, "x-own": "1", "ce_specversion": "0.3"},
        data=CANCEL,
    )
    assert dict(line.headers) == {
        "ce_specversion": b"0.3",
        "ce_id": b"c-1",
        "ce_source": b"//pos",
        "ce_type": b"state-action",
        "ce_correlationid": b"order-1",
        "ce_expirytime": b"2030-01-01T00:00:00Z",
        "ce_replyto": b"command-results",
        "traceparent": b"00-x",
        "x-own": b"1",
    }


def test_what_is_not_said_has_a_default() -> None:
    """An id is generated and differs, the source is ours, and an answer is asked for unless the line says not to."""
    one, other = read(type="state-action", data=CANCEL), read(type="state-action", data=CANCEL)
    assert one.id != other.id
    assert header(one, "ce_source") == "urn:bookstream:send"
    assert one.reply
    quiet = read(type="state-action", reply=False, data=CANCEL)
    assert not quiet.reply
    assert header(quiet, "ce_replyto") is None


def test_what_looks_wrong_is_warned_of_and_kept() -> None:
    """Pointers of all faults, and unknown types; the bytes are what the line says."""
    line = read(type="update-booking", data={"account_id": "a", "booking_id": "b", "patch": {"x": 1, "price": 2}})
    assert [warning.partition(" ")[0] for warning in line.warnings] == ["/patch/price", "/patch/x"]
    assert json.loads(line.value or b"")["patch"] == {"x": 1, "price": 2}
    assert read(type="delete-booking", data={}).warnings[0].startswith("no command is called delete-booking")
    assert read(type="state-action", data=CANCEL).warnings == ()


def test_a_raw_record_is_sent_as_it_stands() -> None:
    """Bytes, key, and only the headers that it names."""
    line = read(raw="TABLE 7 PAID", topic="booking-commands", key="till-3", headers={"x": "y"})
    assert (line.id, line.key, line.value, line.headers) == (None, b"till-3", b"TABLE 7 PAID", (("x", b"y"),))


def test_a_remark_is_no_record() -> None:
    """A line for people."""
    assert read_line('{"say": "good morning"}', 1) == Remark("good morning")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"type": "state-action", "data": {"x": NaN}}', "NaN is no JSON value"),
        ('{"raw": "\udcff", "topic": "booking-commands"}', "no JSON"),
        ("[1]", "no JSON object"),
        ("{}", 'a command has the members "type" and "data"'),
        ('{"type": "state-action"}', 'a command has the members "type" and "data"'),
        ('{"type": 1, "data": {}}', "type: must be a text"),
        ('{"type": "state-action", "internal": "no", "data": {}}', "internal: must be true or false"),
        ('{"type": "state-action", "soruce": "//pos", "data": {}}', "soruce: is no member"),
        ('{"type": "state-action", "headers": {"a": 1}, "data": {}}', "headers: must be an object"),
        ('{"type": "state-action", "topic": "booking-events", "data": {}}', "topic: must be one of"),
        ('{"raw": "x"}', "topic: a raw record needs one"),
        ('{"raw": 1, "topic": "booking-commands"}', "raw: must be a text"),
        ('{"say": "x", "type": "state-action"}', "type: is no member"),
    ],
)
def test_a_line_that_nothing_can_be_sent_for(text: str, reason: str) -> None:
    """The reason is told."""
    with pytest.raises(LineError) as caught:
        read_line(text, 1)
    assert reason in str(caught.value)
