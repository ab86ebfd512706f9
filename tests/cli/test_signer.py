from pathlib import Path

import click
import pytest

from service.cli.lines import LineError, Outgoing, read_line
from service.cli.signer import SECRET_VARIABLE, Signer, find_signer
from tests.support.signing import VECTOR_SECRET

UPDATE = '{"type": "update-booking", "data": {"booking_id": "b-1", "patch": {}}, %s "id": "1"}'


def read(more: str = "") -> Outgoing:
    """A line of a command."""
    line = read_line(UPDATE % more, 1)
    assert isinstance(line, Outgoing)
    return line


def test_commands_from_outside_are_signed() -> None:
    """Internal ones, and what is no command, go as they are."""
    signer = Signer("c-7", VECTOR_SECRET)
    assert dict(signer(read()).headers)["webhook-signature"].startswith(b"bs1,")
    internal = read('"internal": true,')
    assert signer(internal) == internal
    raw = read_line('{"raw": "x", "topic": "booking-commands"}', 1)
    assert isinstance(raw, Outgoing)
    assert signer(raw) == raw


def test_what_can_not_be_signed_is_a_bad_line() -> None:
    """Control characters, and envelopes without an id."""
    signer = Signer("c-7", VECTOR_SECRET)
    for headers in (r'{"ce_subject": "a\nb"}', '{"content-type": "application/cloudevents+json"}'):
        with pytest.raises(LineError, match="can't be signed"):
            signer(read(f'"headers": {headers},'))


def test_where_the_secret_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file goes before the environment; neither is told by the signer."""
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    file = tmp_path / "secret"
    file.write_text(f"{VECTOR_SECRET}\n", encoding="utf-8")
    assert find_signer(None, None) is None
    found = find_signer("c-7", file)
    assert found == Signer("c-7", VECTOR_SECRET)
    assert VECTOR_SECRET not in repr(found)
    monkeypatch.setenv(SECRET_VARIABLE, VECTOR_SECRET)
    assert find_signer("c-7", None) == found


@pytest.mark.parametrize("secret", ["", "hunter2"])
def test_a_secret_that_is_missing_or_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str) -> None:
    """Wrong use, told without the secret."""
    monkeypatch.setenv(SECRET_VARIABLE, secret)
    with pytest.raises(click.UsageError) as caught:
        find_signer("c-7", None)
    assert not secret or secret not in str(caught.value)
    with pytest.raises(click.UsageError):
        find_signer(None, tmp_path / "secret")
    with pytest.raises(click.BadParameter):
        find_signer("c-7", tmp_path / "none")
