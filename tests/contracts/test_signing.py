import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import StateAction, UpdateBooking, command, sign
from schemas.headers import CE_ID
from schemas.message import Message
from schemas.signing import secret_key, signature, webhook_text
from tests.docs.blocks import read_blocks

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
SIGNATURE = "bs1,G3EYQu0qgLsLoNuuQiuf20+OP1IwsLNR+BCckThHh04="
ID = "6f0c2c1e-5f7c-4b0e-9f1b-1d1f6a3f9e10"
AT = 1796115600
# How a program of the page is run, by its language.
RUN = {
    "go": ("main.go", ["go", "run", "main.go"]),
    "java": ("Sign.java", ["java", "Sign.java"]),
    "node": ("sign.mjs", ["node", "sign.mjs"]),
}


def cancel() -> Message:
    """The command of the test vector."""
    data = StateAction(account_id="acc-1", booking_id="b-1001", action="cancel")
    return command(data, id=ID, source="//pos.example/oslo")


def test_the_vector_of_the_contract() -> None:
    """Every byte of it is as the contract lays down."""
    made = sign(cancel(), "c-7", SECRET, timestamp=AT)
    assert made.value == b'{"account_id":"acc-1","booking_id":"b-1001","action":"cancel"}'
    assert dict(made.headers) == {
        **dict(cancel().headers),
        "bookstream-client": b"c-7",
        "webhook-id": ID.encode(),
        "webhook-timestamp": str(AT).encode(),
        "webhook-signature": SIGNATURE.encode(),
    }


def test_standard_webhooks() -> None:
    """The vector of its reference libraries."""
    text = webhook_text("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert signature(key, text) == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_structured_mode_is_signed_by_standard_webhooks() -> None:
    """`v1`, and the id is the envelope's."""
    structured = [("Content-Type", b"application/cloudevents+json; charset=utf-8")]
    message = Message("booking-commands", b"b-1", structured, b'{"id":"m"}')
    made = dict(sign(message, "c-7", SECRET, timestamp=AT).headers)
    expected = signature(secret_key(SECRET), webhook_text("m", str(AT), b'{"id":"m"}'))
    assert (made["webhook-id"], made["webhook-signature"]) == (b"m", f"v1,{expected}".encode())


def test_signing_again_replaces() -> None:
    """A message that is sent again later is signed anew, with each header once."""
    once = sign(cancel(), "c-7", SECRET, timestamp=AT - 1000)
    assert sign(once, "c-7", SECRET, timestamp=AT) == sign(cancel(), "c-7", SECRET, timestamp=AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_#", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_é"])
def test_what_is_no_secret(secret: str) -> None:
    """It is refused, and not told."""
    with pytest.raises(ValueError, match="expected a secret of the form whsec_<base64>") as caught:
        secret_key(secret)
    assert secret.removeprefix("whsec_") not in str(caught.value) or secret in ("", "whsec_")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1), st.integers(0, 10**12 - 1))
def test_any_text_is_signed(source: str, timestamp: int) -> None:
    """Whatever a header may hold, each message has a signature, and another one has another."""
    data = UpdateBooking(account_id="acc-1", booking_id="b-1", patch={})
    first = sign(command(data, id="1", source=source), "c-7", SECRET, timestamp=timestamp)
    second = sign(command(data, id="1", source=source + "x"), "c-7", SECRET, timestamp=timestamp)
    assert dict(first.headers)[CE_ID] == dict(second.headers)["webhook-id"]
    assert dict(first.headers)["webhook-signature"] != dict(second.headers)["webhook-signature"]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("language", [pytest.param(name, marks=pytest.mark.language(name)) for name in RUN])
def test_programs_in_other_languages(project_root: Path, tmp_path: Path, language: str) -> None:
    """Each program on the page prints the signature of the contract's test vector."""
    page = (project_root / "schemas" / "README.md").read_text(encoding="utf-8")
    name, program = RUN[language]
    written = "javascript" if language == "node" else language
    blocks = [block for block in read_blocks("page", page) if block.language == written]
    assert len(blocks) == 1
    (tmp_path / name).write_text(blocks[0].text, encoding="utf-8")
    found = shutil.which(program[0])
    assert found is not None
    run = subprocess.run([found, *program[1:]], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=170)
    assert run.stdout.strip() == SIGNATURE, run.stderr
