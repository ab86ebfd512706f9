"""Each line is one JSON object, says nothing about a person, and can't be forged."""

import asyncio
import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import asyncpg
import pydantic
import pytest

from service.errors import StoreUnavailable
from service.telemetry.logs import OURS, TOGGLE, JsonFormatter, toggle_on_signal
from service.telemetry.told import told
from tests.handle.harness import Bench
from tests.support.records import create, record, update

PERSON = "Canary Kanarifugl +4790012345 canary@birds.example"
FORGED = '{"severity_text": "FATAL", "body": "forged"}'


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the root logger and the service's write, at DEBUG."""
    stream, root, ours = io.StringIO(), logging.getLogger(), logging.getLogger(OURS)
    handler, levels = logging.StreamHandler(stream), (root.level, ours.level)
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines, each a JSON object."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_names_are_those_of_opentelemetry(written: io.StringIO) -> None:
    """Time, severity as text and number, body, scope, resource, attributes."""
    logging.getLogger("service.x").warning("%d of %s", 2, "3", extra={"attributes": {"messaging.batch": 2}})
    (line,) = lines(written)
    assert line["timestamp"].endswith("+00:00")
    assert (line["severity_text"], line["severity_number"]) == ("WARN", 13)
    assert line["body"] == "2 of 3"
    assert line["scope"] == {"name": "service.x"}
    assert line["resource"]["service.name"] == "bookstream"
    assert line["attributes"] == {"messaging.batch": 2}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00"])
def test_a_line_cannot_be_forged(written: io.StringIO, end: str) -> None:
    """Whatever some reader takes for the end of a line is escaped, in messages, arguments and names."""
    logging.getLogger(f"service.x{end}{FORGED}").error("deciding %s failed%s", f"id{end}{FORGED}{end}", end)
    (line,) = lines(written)
    assert line["body"] == f"deciding id{end}{FORGED}{end} failed{end}"
    assert line["severity_text"] == "ERROR"


@pytest.mark.parametrize(
    ("facts", "body"),
    [
        ({"msg": "id %s", "args": ("\udcff",)}, "id \udcff"),
        ({"msg": "%d %d", "args": ("x",)}, "%d %d"),
        ({"msg": "object", "attributes": {"x": {1}}}, "object"),
        ({"msg": {"a": 1}}, "{'a': 1}"),
    ],
)
def test_what_cannot_be_written_is_written_all_the_same(facts: dict[str, Any], body: str) -> None:
    """Lone surrogates, arguments that do not fit, values that are no JSON: a line of ASCII, and no second error."""
    line = JsonFormatter().format(logging.makeLogRecord(facts))
    assert line.isascii()
    assert json.loads(line)["body"] == body


def _errors() -> Iterator[BaseException]:
    class Model(pydantic.BaseModel):
        number: int

    unique = asyncpg.UniqueViolationError(f"duplicate key {PERSON}")
    unique.detail, unique.constraint_name = f"Key (name)=({PERSON}) already exists.", "customer_key"
    yield unique
    yield asyncpg.DataError(f"invalid input for query argument $1: '{PERSON}'")
    yield KeyError(PERSON)
    yield ValueError(f"time data {PERSON!r} does not match")
    try:
        Model(number=PERSON)
    except pydantic.ValidationError as error:
        yield error


@pytest.mark.parametrize("error", list(_errors()), ids=lambda error: type(error).__name__)
def test_errors_are_told_without_their_values(written: io.StringIO, error: BaseException) -> None:
    """As an argument in whatever form, as what was caught, and as a cause."""
    log = logging.getLogger("service.x")
    log.error("%s %r", error, error)
    log.error(error)
    try:
        _raise_after(error)
    except RuntimeError:
        log.exception("failed")
    assert not leaks(written.getvalue())
    assert type(error).__name__ in written.getvalue()
    stack = lines(written)[-1]["attributes"]["exception.stacktrace"]
    assert stack.startswith("Traceback")
    assert "test_logs.py" in stack


def _raise_after(error: BaseException) -> None:
    try:
        raise error  # noqa: TRY301 - it was made elsewhere
    except Exception as cause:
        raise RuntimeError(PERSON) from cause


def test_errors_about_servers_keep_their_message() -> None:
    """Operators need it."""
    assert told(ConnectionRefusedError(111, "refused")) == "ConnectionRefusedError([Errno 111] refused)"
    assert told(StoreUnavailable("gone")) == "StoreUnavailable(gone)"
    assert "too many" in told(asyncpg.TooManyConnectionsError("too many clients"))
    assert told(asyncpg.UniqueViolationError("x")) == "UniqueViolationError(23505)"


def leaks(text: str) -> list[str]:
    """The parts of the canary that are in a text."""
    return [part for part in PERSON.split() if part.lower() in text.lower()]


async def test_commands_that_break_a_rule_or_a_statement(
    bench: Bench, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst that can happen to a command is logged without what it said."""
    await bench.apply(record("create-booking", create()))

    def broken(*_: object) -> None:
        raise ValueError(PERSON)

    for name, made in (
        ("service.handle.fold.decide", record("update-booking", update(patch={"notes": PERSON}), "u-1")),
        ("service.handle.batch.decode", record("update-booking", update(patch={"notes": PERSON}), "u-2")),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(name, broken)
            found = await bench.apply(made)
        assert found
    violation = asyncpg.CheckViolationError(f"failing row contains {PERSON}")
    with monkeypatch.context() as patched:

        async def refused(*_: object) -> None:
            raise violation

        patched.setattr("service.handle.attempt.save", refused)
        await bench.apply(*(record("update-booking", update(patch={"notes": PERSON}), one) for one in ("u-3", "u-4")))
    text = written.getvalue()
    assert not leaks(text)
    assert "decoding booking-commands" in text
    assert "halving" in text
    assert "CheckViolationError" in text


async def test_the_level_changes_by_signal(written: io.StringIO) -> None:
    """SIGUSR1 switches to DEBUG and back to what was set; libraries stay as they are."""
    ours, root = logging.getLogger(OURS), logging.getLogger()
    ours.setLevel(logging.WARNING)
    root.setLevel(logging.INFO)
    toggle_on_signal(asyncio.get_running_loop())
    try:
        for level in (logging.DEBUG, logging.WARNING, logging.DEBUG):
            os.kill(os.getpid(), TOGGLE)
            await asyncio.sleep(0.05)
            assert ours.level == level
            assert root.level == logging.INFO
    finally:
        asyncio.get_running_loop().remove_signal_handler(TOGGLE)
    assert [line["body"] for line in lines(written) if line["scope"]["name"].startswith(OURS)] == [
        f"the log level is {name} now" for name in ("DEBUG", "WARNING", "DEBUG")
    ]
