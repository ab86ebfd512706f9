"""How every client of Kafka reaches the cluster: in the clear or by TLS, and by what it is known there."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from service.errors import SettingsError

log = logging.getLogger(__name__)

PREFIX: Final = "BOOKSTREAM_KAFKA_SECURITY_"
EXAMPLES: Final = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_security_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_security_sasl_username": "bookstream-worker",
    "kafka_security_sasl_password": "the password of the user",
    "kafka_security_ssl_ca_file": "/etc/kafka/cluster/ca.crt",
    "kafka_security_ssl_certificate_file": "/etc/kafka/user/user.crt",
    "kafka_security_ssl_key_file": "/etc/kafka/user/user.key",
    "kafka_security_ssl_key_password": "the password of the key",
}


class KafkaSecurity(BaseSettings):
    """Kafka's own names for it; an empty value is none."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_security_sasl_mechanism: Literal["", "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = ""
    kafka_security_sasl_username: str = ""
    kafka_security_sasl_password: SecretStr = SecretStr("")
    kafka_security_ssl_ca_file: str = ""
    kafka_security_ssl_certificate_file: str = ""
    kafka_security_ssl_key_file: str = ""
    kafka_security_ssl_key_password: SecretStr = SecretStr("")

    @property
    def kafka_is_encrypted(self) -> bool:
        """Whether what goes to Kafka is encrypted and the brokers are verified."""
        return self.kafka_security_protocol in ("SSL", "SASL_SSL")

    def kafka_contradictions(self) -> list[str]:
        """What does not go together, or is missing: a line each, with name, problem and example."""
        protocol = self.kafka_security_protocol
        sasl = ("sasl_mechanism", "sasl_username", "sasl_password")
        pair = ("ssl_certificate_file", "ssl_key_file")
        tls = ("ssl_ca_file", *pair, "ssl_key_password")
        if protocol.startswith("SASL"):
            problems = [_line(name, f"is needed with {protocol}") for name in sasl if not self._given(name)]
        else:
            problems = [_line(name, f"has no use with {protocol}") for name in sasl if self._given(name)]
        if not self.kafka_is_encrypted:
            return [*problems, *(_line(name, f"has no use with {protocol}") for name in tls if self._given(name))]
        for one, other in (pair, pair[::-1]):
            if self._given(one) and not self._given(other):
                problems.append(_line(other, f"is needed with {PREFIX}{one.upper()}"))
        if self._given("ssl_key_password") and not self._given("ssl_key_file"):
            problems.append(_line("ssl_key_password", "has no use without a key"))
        return problems

    def kafka_security_options(self) -> dict[str, Any]:
        """What every client of aiokafka is given beside the address; raises SettingsError for files of no use."""
        options: dict[str, Any] = {"security_protocol": self.kafka_security_protocol}
        if self.kafka_is_encrypted:
            options["ssl_context"] = FileContext.of(
                self.kafka_security_ssl_ca_file,
                self.kafka_security_ssl_certificate_file,
                self.kafka_security_ssl_key_file,
                self.kafka_security_ssl_key_password,
            )
        if self.kafka_security_sasl_mechanism:
            options |= {
                "sasl_mechanism": self.kafka_security_sasl_mechanism,
                "sasl_plain_username": self.kafka_security_sasl_username,
                "sasl_plain_password": self.kafka_security_sasl_password.get_secret_value(),
            }
        return options

    def _given(self, name: str) -> bool:
        value = getattr(self, f"kafka_security_{name}")
        return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


class FileContext(ssl.SSLContext):
    """Verifies brokers and their names, and identifies the client, by files that may be replaced while it is in use.

    Each new connection looks whether they have changed. A certificate and its key take the place of the former ones;
    a CA is trusted beside them. What can't be read is told, and the former ones go on.
    """

    _ca: str
    _certificate: str
    _key: str
    _password: SecretStr
    _seen: tuple[float, ...]

    @classmethod
    def of(cls, ca: str, certificate: str, key: str, password: SecretStr) -> "FileContext":
        """Reads the files; without a CA, those of the system are trusted."""
        made = cls(ssl.PROTOCOL_TLS_CLIENT)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made._ca, made._certificate, made._key, made._password = ca, certificate, key, password
        if not ca:
            made.load_default_certs()
        made._seen = made._look()
        made._read()
        return made

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begins a connection, as asyncio and uvloop do it."""
        try:
            found = self._look()
            if found != self._seen:
                self._seen = found
                self._read()
                log.info("the files of Kafka's TLS have changed and were read again")
        except (SettingsError, OSError) as error:
            log.warning("the files of Kafka's TLS have changed and can't be read; the former ones go on: %s", error)
        return super().wrap_bio(*args, **options)

    def _look(self) -> tuple[float, ...]:
        """When each file was changed; raises SettingsError for one that is not there."""
        names = ("ssl_ca_file", "ssl_certificate_file", "ssl_key_file")
        found = []
        for name, path in zip(names, (self._ca, self._certificate, self._key), strict=True):
            try:
                found.append(Path(path).stat().st_mtime if path else 0.0)
            except OSError as error:
                raise SettingsError(_line(name, f"{path} can't be read ({error.strerror})")) from error
        return tuple(found)

    def _read(self) -> None:
        if self._ca:
            try:
                self.load_verify_locations(self._ca)
            except (OSError, ValueError) as error:
                raise SettingsError(
                    _line("ssl_ca_file", f"{self._ca} holds no certificate in PEM ({error})")
                ) from error
        if self._certificate:
            try:
                # A password is always given: without one, OpenSSL would ask for it at the terminal.
                self.load_cert_chain(self._certificate, self._key, self._password.get_secret_value())
            except (OSError, ValueError) as error:
                told = (
                    f"{self._certificate} and {self._key} are no pair in PEM, or the key's password is wrong ({error})"
                )
                raise SettingsError(_line("ssl_certificate_file", told)) from error


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Gives what aiokafka says while this lasts, and keeps it off the screen.

    It is nowhere else that it tells why a connection failed: what it raises only says that there is none.
    """
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ear, logger = Ear(logging.ERROR), logging.getLogger("aiokafka")
    logger.addHandler(ear)
    try:
        yield said
    finally:
        logger.removeHandler(ear)


def _line(name: str, problem: str) -> str:
    return f"{PREFIX}{name.upper()}: {problem}; for example {EXAMPLES[f'kafka_security_{name}']}"
