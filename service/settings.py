"""Settings: environment variables that begin with BOOKSTREAM_, and the same names in lower case in a TOML file."""

import base64
import binascii
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from service.errors import SettingsError
from service.kafka_security import EXAMPLES as SECURITY_EXAMPLES
from service.kafka_security import KafkaSecurity

CONFIG_VARIABLE: Final = "BOOKSTREAM_CONFIG"
_KEY_BYTES: Final = 32
EXAMPLES: Final = {
    "database_url": "postgresql://bookstream@127.0.0.1:5432/bookstream",
    "kafka_bootstrap": "127.0.0.1:9092",
    "topic_prefix": "staging.",
    "group_id": "bookstream",
    "group_instance_id": "bookstream-worker-0",
    "partitions": "12",
    "replication": "3",
    "signing": "off",
    "encryption_keys": "the output of `openssl rand -base64 32`",
    "http_address": "127.0.0.1:8080",
    "graphs_dir": "./graphs",
    "reply_topics": '["command-results"]',
    "stop_ratio": "0.5",
    "inbox_retention_days": "14",
    "log_level": "INFO",
    **SECURITY_EXAMPLES,
}


class Settings(KafkaSecurity):
    """Everything that can be set; read once at the start and handed on as plain values."""

    model_config = SettingsConfigDict(env_prefix="BOOKSTREAM_", extra="ignore", frozen=True)

    database_url: SecretStr = SecretStr("postgresql://bookstream@127.0.0.1:5432/bookstream")
    kafka_bootstrap: str = Field(default="127.0.0.1:9092", min_length=1)
    topic_prefix: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9._-]*$")
    group_id: str = Field(default="bookstream", min_length=1, max_length=200)
    group_instance_id: str = Field(default="", max_length=200, pattern=r"^[A-Za-z0-9._-]*$")
    partitions: int = Field(default=12, ge=1, le=1000)
    replication: int = Field(default=3, ge=1, le=10)
    signing: Literal["required", "off"] = "required"
    encryption_keys: SecretStr = SecretStr("")
    http_address: str = Field(default="127.0.0.1:8080", pattern=r"^.+:\d{1,5}$")
    graphs_dir: Path | None = None
    reply_topics: frozenset[str] = frozenset({"command-results"})
    kafka_idempotence: bool = True
    stop_ratio: float = Field(default=0.5, ge=0, le=1)
    inbox_retention_days: int = Field(default=14, ge=1, le=3650)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("database_url")
    @classmethod
    def _is_of_postgresql(cls, value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in ("postgresql", "postgres"):
            raise ValueError("expected an address that begins with postgresql://")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr) -> SecretStr:
        _keys(value)
        return value

    @field_validator("graphs_dir")
    @classmethod
    def _directory_exists(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("there is no such directory")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file."""
        del dotenv_settings, file_secret_settings
        path = os.environ.get(CONFIG_VARIABLE)
        file = (TomlConfigSettingsSource(settings_cls, Path(path)),) if path else ()
        return (init_settings, env_settings, *file)

    @property
    def master_keys(self) -> tuple[bytes, ...]:
        """The keys that wrap what secrets in the database are sealed with; the first is for new ones."""
        return _keys(self.encryption_keys)

    def kafka_options(self) -> dict[str, Any]:
        """What every client of Kafka is given: where the cluster is, and how it is reached. Raises SettingsError."""
        return {"bootstrap_servers": self.kafka_bootstrap, **self.kafka_security_options()}

    @property
    def inbox_retention(self) -> timedelta:
        """How long a command is remembered."""
        return timedelta(days=self.inbox_retention_days)

    @property
    def http_host(self) -> str:
        """Host of the address that probes ask."""
        return self.http_address.rpartition(":")[0]

    @property
    def http_port(self) -> int:
        """Port of the address that probes ask."""
        return int(self.http_address.rpartition(":")[2])


def _keys(value: SecretStr) -> tuple[bytes, ...]:
    try:
        keys = tuple(base64.b64decode(word, validate=True) for word in value.get_secret_value().split())
    except (binascii.Error, ValueError):
        keys = (b"",)
    if any(len(key) != _KEY_BYTES for key in keys):
        raise ValueError("expected keys of 32 bytes in base64, separated by blanks")
    return keys


def load_settings(**overrides: Any) -> Settings:
    """Reads the settings; raises SettingsError naming each wrong one, its problem and an example."""
    path = os.environ.get(CONFIG_VARIABLE)
    if path and not Path(path).is_file():
        raise SettingsError(f"{CONFIG_VARIABLE}: there is no file {path}")
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(item) for item in error.errors(include_url=False))) from error
    except (ValueError, OSError) as error:
        raise SettingsError(f"the settings can't be read: {error}") from error
    if contradictions := settings.kafka_contradictions():
        raise SettingsError("\n".join(contradictions))
    return settings


def _explain(problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "?"
    example = EXAMPLES.get(name, "")
    return f"BOOKSTREAM_{name.upper()}: {problem['msg']}" + (f"; for example {example}" if example else "")
