"""Clients of the accounts, who sign what they send, and a few who send the same without a signature."""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from schemas import sign
from schemas.message import Message
from tests.e2e.broker import Sent
from tests.e2e.process import run_to_end
from tests.faults.evidence import INTERNAL

_ADD = ("client", "add", "judge", "--scopes", "bookings:write,visits:write", "--burst", "0", "--daily", "0", "--json")
_FORGED = 0.003


@dataclass(slots=True)
class Signers:
    """Keys by account; without any, nothing is signed."""

    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def among(self, records: Iterator[Sent], seed: int) -> Iterator[Sent]:
        """The records, signed where that is wanted; of some there is a forgery, under an id of its own."""
        chance, count = random.Random(seed), 0  # noqa: S311
        for record in records:
            account = self._signer_of(record)
            if account is None:
                yield record
                continue
            if chance.random() < _FORGED:
                count += 1
                yield _renamed(record, f"forged-{count}")
            yield _signed(record, self.keys[account])

    def _signer_of(self, record: Sent) -> str | None:
        if not self.keys or record.topic == INTERNAL:
            return None
        try:
            data = json.loads(record.value or b"")
        except ValueError:
            return None
        # Guests prove themselves by their link.
        account = data.get("account_id") if isinstance(data, dict) and "link" not in data else None
        return account if account in self.keys else None


async def add_clients(settings: Mapping[str, str], accounts: tuple[str, ...]) -> Signers:
    """Adds a client to each account, as operators do."""
    return Signers(dict(zip(accounts, await asyncio.gather(*(_add(settings, one) for one in accounts)), strict=True)))


async def _add(settings: Mapping[str, str], account: str) -> Mapping[str, str]:
    ended = await asyncio.to_thread(run_to_end, settings, *_ADD, "--account", account)
    assert ended.returncode == 0, ended.stderr
    added: dict[str, str] = json.loads(ended.stdout)
    return added


def _signed(record: Sent, key: Mapping[str, str]) -> Sent:
    headers = [(name, value) for name, value in record.headers if value is not None]
    message = Message(record.topic, record.key or b"", headers, record.value or b"")
    return replace(record, headers=sign(message, key["client_id"], key["secret"]).headers)


def _renamed(record: Sent, command_id: str) -> Sent:
    headers = [(name, command_id.encode() if name == "ce_id" else value) for name, value in record.headers]
    return replace(record, headers=headers)
