"""Whom an erasure is about, and where the database speaks of them.

There is no index of people: an account is read from its first booking to its last visit, page by page. That costs some
40 microseconds for each, which is right for what is asked for once in a while.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from service.domain.customer import derive_customer_id
from service.store.pool import Connection

PAGE: Final = 2_000
_NO_DIGITS: Final = re.compile(r"[^0-9]")
# Of a snapshot: by the customer's id, by the digits of a phone number, or by an e-mail address.
IS_ABOUT: Final = """
coalesce({it} ->> 'customer_id' = ANY($1::text[]), false)
OR coalesce(regexp_replace(coalesce({it} ->> 'phone', {it} -> 'guest' ->> 'phone'), '[^0-9]', '', 'g')
            = ANY($2::text[]), false)
OR coalesce(lower(coalesce({it} ->> 'email', {it} -> 'guest' ->> 'email')) = ANY($3::text[]), false)
"""
NEXT: Final = f"""
WITH page AS MATERIALIZED ( -- or each member that is looked at would parse it anew
    SELECT kind, aggregate_id, version, convert_from(state, 'UTF8')::jsonb AS snapshot FROM aggregate
    WHERE account_id = $4 AND kind IN ('booking', 'visit') AND (kind, aggregate_id) > ($5, $6)
    ORDER BY kind, aggregate_id LIMIT $7
)
SELECT kind, aggregate_id, version, {IS_ABOUT.format(it="snapshot")}, snapshot ->> 'customer_id'
FROM page ORDER BY kind, aggregate_id
"""  # noqa: S608
# A dry run's preview is all that the memory of commands holds about people; without that memory it is decided anew,
# and changes nothing again. Previews hold what was and what would be.
FORGET: Final = f"""
WITH page AS MATERIALIZED (
    SELECT command_key, outcome FROM inbox
    WHERE account_id = $4 AND command_key > $5 ORDER BY command_key LIMIT $6
), dry_run AS MATERIALIZED (
    SELECT command_key, convert_from(outcome, 'UTF8')::jsonb -> 'accepted' -> 'preview' AS preview
    FROM page WHERE position('"preview":{{'::bytea IN outcome) > 0
), gone AS (
    SELECT command_key
    FROM dry_run, LATERAL (SELECT coalesce(preview -> 'booking', preview -> 'visit') AS after) AS one,
         LATERAL (SELECT jsonb_object_agg(key, value -> 0) AS before FROM jsonb_each(preview -> 'changes')) AS two
    WHERE {IS_ABOUT.format(it="after")} OR {IS_ABOUT.format(it="before")}
), done AS (
    DELETE FROM inbox USING gone WHERE inbox.account_id = $4 AND inbox.command_key = gone.command_key AND $7
)
SELECT (SELECT max(command_key) FROM page), (SELECT count(*) FROM gone)
"""  # noqa: S608


class Found(NamedTuple):
    """A booking or visit that is about the person, at the version that was read."""

    kind: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in an account, by anything that they are known by there; a contact also stands for the derived id."""

    account_id: str
    customers: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    @property
    def customer_ids(self) -> list[str]:
        """The ids of the customer, given and derived."""
        contacts = [{"phone": phone} for phone in self.phones] + [{"email": email} for email in self.emails]
        derived = (derive_customer_id(self.account_id, contact) for contact in contacts)
        return sorted({*self.customers, *(each for each in derived if each is not None)})

    @property
    def parameters(self) -> tuple[list[str], list[str], list[str], str]:
        """The first four parameters of the statements here."""
        digits = [_NO_DIGITS.sub("", phone) for phone in self.phones]
        return self.customer_ids, digits, [email.lower() for email in self.emails], self.account_id


class Page(NamedTuple):
    """What of a page is about the person, the customer ids in it, and where the next one begins (None: the end)."""

    found: list[Found]
    customers: set[str]
    last: tuple[str, str] | None


async def next_page(connection: Connection, person: Person, after: tuple[str, str]) -> Page:
    """Reads the account's next bookings and visits."""
    rows = await connection.fetch(NEXT, *person.parameters, *after, PAGE)
    mine = [row for row in rows if row[3]]
    return Page(
        [Found(kind, aggregate_id, version) for kind, aggregate_id, version, *_ in mine],
        {row[4] for row in mine if row[4] is not None},
        (rows[-1][0], rows[-1][1]) if rows else None,
    )


async def forget_dry_runs(connection: Connection, person: Person, *, really: bool) -> int:
    """Forgets the answers of dry runs that show the person; counts them where it is not `really` to be done."""
    count, after = 0, b""
    while True:
        ((last, gone),) = await connection.fetch(FORGET, *person.parameters, after, PAGE, really)
        if last is None:
            return count
        after, count = last, count + gone
