"""How `send` signs: as a client, with a secret that stands in the environment or in a file, never among the words."""

import dataclasses
import os
from pathlib import Path
from typing import Final

import click

from schemas import sign
from schemas.message import Message
from schemas.signing import secret_key
from service.cli.lines import LineError, Outgoing

SECRET_VARIABLE: Final = "BOOKSTREAM_CLIENT_SECRET"  # noqa: S105  a name


@dataclasses.dataclass(frozen=True, slots=True)
class Signer:
    """One client and its secret."""

    client_id: str
    secret: str = dataclasses.field(repr=False)

    def __call__(self, line: Outgoing) -> Outgoing:
        """Gives the line with its signature; internal commands and what is no command go as they are."""
        if line.internal or line.id is None:
            return line
        message = Message(line.topic, line.key or b"", list(line.headers), line.value or b"")
        try:
            signed = sign(message, self.client_id, self.secret)
        except (ValueError, LookupError, TypeError) as error:
            raise LineError(f"can't be signed: {error}") from error
        return dataclasses.replace(line, headers=tuple(signed.headers))


def find_signer(client_id: str | None, secret_file: Path | None) -> Signer | None:
    """Takes the secret from the file, else from the environment; what is missing is wrong use."""
    if client_id is None:
        if secret_file is not None:
            raise click.UsageError("--secret-file is for --client")
        return None
    if secret_file is None:
        secret = os.environ.get(SECRET_VARIABLE, "")
    else:
        try:
            secret = secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise click.BadParameter(f"it can't be read: {error}", param_hint="--secret-file") from error
    if not secret:
        raise click.UsageError(f"--client needs its secret, in {SECRET_VARIABLE} or in a --secret-file")
    try:
        secret_key(secret)
    except ValueError as error:
        raise click.UsageError(f"the secret of --client: {error}") from None
    return Signer(client_id, secret)
