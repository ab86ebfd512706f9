"""Asks for the erasure, page by page, until nothing speaks of the person any more.

Each booking or visit is asked for by an `erase-person` of the version that was read, whose id follows from both: what
was asked twice is done once, so an erasure that was interrupted is simply begun again. One that was changed meanwhile
answers with a version conflict, and is found anew.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas import headers as names
from service.compact_json import compact_json
from service.erase.person import Found, Person, forget_dry_runs, next_page
from service.errors import ServiceError
from service.outbox.append import append
from service.outbox.row import Row, constant_headers, encode_headers, uuid5
from service.store.pool import Connection

SOURCE: Final = "urn:bookstream:erase"
ROUNDS: Final = 10
WAIT_SECONDS: Final = 0.05
PATIENCE: Final = 30.0
CONSTANT: Final = constant_headers(
    [
        (names.CE_SPECVERSION, names.SPECVERSION),
        (names.CE_SOURCE, SOURCE),
        (names.CE_TYPE, names.ERASE_PERSON),
        (names.CONTENT_TYPE, names.JSON),
    ]
)
# How many of these still stand at the version that was asked for.
UNTOUCHED: Final = """
SELECT count(*) FROM unnest($2::text[], $3::text[], $4::bigint[]) AS asked (kind, aggregate_id, version)
JOIN aggregate a ON a.account_id = $1 AND a.kind = asked.kind AND a.aggregate_id = asked.aggregate_id
    AND a.version = asked.version
"""


@dataclass(slots=True)
class Report:
    """What was found and done; `customers` are the ids by which what was found is known, asked for or not."""

    found: dict[str, int] = field(default_factory=lambda: {"booking": 0, "visit": 0})
    dry_runs: int = 0
    customers: set[str] = field(default_factory=set)


Tell = Callable[[str], None]


class Erasure:
    """Erases a person through the running service; `tell` hears how far it is, `patience` is in seconds."""

    def __init__(
        self,
        connection: Connection,
        person: Person,
        *,
        reason: str | None = None,
        tell: Tell = lambda _: None,
        patience: float = PATIENCE,
    ) -> None:
        self._connection = connection
        self._person = person
        self._reason = reason
        self._tell = tell
        self._patience = patience

    async def look(self) -> Report:
        """Find everything and change nothing."""
        report = Report()
        await self._round(report, really=False)
        report.dry_runs = await forget_dry_runs(self._connection, self._person, really=False)
        return report

    async def run(self) -> Report:
        """Erase until a whole round finds nothing; raises ServiceError when the service does not do it."""
        report = Report()
        for _ in range(ROUNDS):
            if not await self._round(report, really=True):
                report.dry_runs = await forget_dry_runs(self._connection, self._person, really=True)
                return report
        raise ServiceError("the person is written anew all the time; find out who does it, then run this again")

    async def _round(self, report: Report, *, really: bool) -> int:
        count, after = 0, ("", "")
        while (page := await next_page(self._connection, self._person, after)).last is not None:
            after = page.last
            count += len(page.found)
            report.customers |= page.customers
            for found in page.found:
                report.found[found.kind] += 1
            if really and page.found:
                await self._ask(page.found)
            self._tell(f"{sum(report.found.values())} found, at {after[0]} {after[1]}")
        return count

    async def _ask(self, found: Sequence[Found]) -> None:
        async with self._connection.transaction():
            await append(self._connection, [self._command(each) for each in found])
        columns = [list(column) for column in zip(*found, strict=True)]
        left, since = len(found), time.monotonic()
        while left:
            await asyncio.sleep(WAIT_SECONDS)
            now_left = await self._connection.fetchval(UNTOUCHED, self._person.account_id, *columns)
            if now_left < left:
                left, since = now_left, time.monotonic()
            elif time.monotonic() - since > self._patience:
                raise ServiceError(
                    f"{left} commands were not carried out within {self._patience:.0f} s; see that worker and relay "
                    "run (`bookstream doctor`), then run this again: nothing is done twice"
                )

    def _command(self, found: Found) -> Row:
        account_id = self._person.account_id
        data: dict[str, Any] = {
            "account_id": account_id,
            f"{found.kind}_id": found.id,
            "expected_version": found.version,
        }
        if self._reason is not None:
            data["reason"] = self._reason
        name = "/".join(("erase", account_id, *map(str, found), self._reason or ""))
        return Row(
            names.INTERNAL_COMMANDS,
            found.id.encode(),
            encode_headers(CONSTANT, [(names.CE_ID, uuid5(name.encode()))]),
            compact_json(data),
        )
