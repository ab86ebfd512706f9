"""What does not go together stops the start, with name, problem and example."""

import pytest

from service.errors import SettingsError
from service.kafka_security import EXAMPLES, PREFIX, KafkaSecurity
from service.settings import load_settings
from tests.support.certificates import Authority

LOGIN = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "me", "sasl_password": "secret"}
PAIR = {"ssl_certificate_file": "/c", "ssl_key_file": "/k"}


def given(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Sets the variables."""
    for name, value in values.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)


def test_every_setting_has_an_example() -> None:
    """Names of settings are those of the variables."""
    assert set(EXAMPLES) == set(KafkaSecurity.model_fields)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"protocol": "PLAINTEXT", **dict.fromkeys((*LOGIN, *PAIR, "ssl_ca_file", "ssl_key_password"), "")},
        {"protocol": "SSL"},
        {"protocol": "SSL", "ssl_ca_file": "/ca", **PAIR, "ssl_key_password": "x"},
        {"protocol": "SASL_PLAINTEXT", **LOGIN},
        {"protocol": "SASL_SSL", **LOGIN, "ssl_ca_file": "/ca"},
        {"protocol": "SASL_SSL", **LOGIN, **PAIR, "sasl_mechanism": "PLAIN"},
    ],
)
def test_what_goes_together(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    """Empty values are none; whether files are there is seen when they are needed."""
    given(monkeypatch, **values)
    assert load_settings().kafka_security_protocol == values.get("protocol", "PLAINTEXT")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"protocol": "TLS"}, {"PROTOCOL"}),
        ({"protocol": "SASL_SSL", **LOGIN, "sasl_mechanism": "GSSAPI"}, {"SASL_MECHANISM"}),
        (LOGIN, {"SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD"}),
        ({"ssl_ca_file": "/ca"}, {"SSL_CA_FILE"}),
        (PAIR, {"SSL_CERTIFICATE_FILE", "SSL_KEY_FILE"}),
        ({"protocol": "SSL", **LOGIN}, {"SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD"}),
        ({"protocol": "SSL", "ssl_certificate_file": "/c"}, {"SSL_KEY_FILE"}),
        ({"protocol": "SSL", "ssl_key_file": "/k"}, {"SSL_CERTIFICATE_FILE"}),
        ({"protocol": "SSL", "ssl_key_password": "x"}, {"SSL_KEY_PASSWORD"}),
        ({"protocol": "SASL_PLAINTEXT", **LOGIN, "ssl_ca_file": "/ca"}, {"SSL_CA_FILE"}),
        ({"protocol": "SASL_SSL"}, {"SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD"}),
        ({"protocol": "SASL_SSL", **LOGIN, "sasl_password": ""}, {"SASL_PASSWORD"}),
    ],
)
def test_what_does_not(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], named: set[str]) -> None:
    """Each is named in a line of its own; no value of a secret is told."""
    given(monkeypatch, **values)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    assert {line.partition(":")[0] for line in lines} == {PREFIX + name for name in named}
    assert all("; for example " in line for line in lines)
    assert "secret" not in str(caught.value)


def test_files_of_no_use(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    """A file that is not there, holds something else, or doesn't fit its key is named before anything is started."""
    pair, other = authority.sign("one"), authority.sign("two")
    sealed = authority.sign("three", password="right")
    good = {"ssl_ca_file": authority.ca, "ssl_certificate_file": pair.certificate, "ssl_key_file": pair.key}
    given(monkeypatch, protocol="SSL", **{name: str(path) for name, path in good.items()})
    options = load_settings().kafka_options()
    assert options["security_protocol"] == "SSL"
    wrong = [
        ("ssl_ca_file", "/nowhere/ca.crt", "SSL_CA_FILE: /nowhere/ca.crt can't be read (No such file"),
        ("ssl_ca_file", str(pair.key), "holds no certificate in PEM"),
        ("ssl_key_file", str(other.key), "are no pair in PEM"),
        ("ssl_key_file", str(sealed.key), "are no pair in PEM"),
        ("ssl_certificate_file", "/nowhere/user.crt", "SSL_CERTIFICATE_FILE: /nowhere/user.crt can't be read"),
    ]
    for name, path, told in wrong:
        with monkeypatch.context() as patched:
            given(patched, **{name: path})
            with pytest.raises(SettingsError, match=told.replace("(", r"\(")):
                load_settings().kafka_options()
    given(monkeypatch, ssl_certificate_file=str(sealed.certificate), ssl_key_file=str(sealed.key))
    given(monkeypatch, ssl_key_password="wrong")
    with pytest.raises(SettingsError, match="or the key's password is wrong"):
        load_settings().kafka_options()
    given(monkeypatch, ssl_key_password="right")
    load_settings().kafka_options()
