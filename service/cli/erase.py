"""`bookstream erase`: blanks a person in the bookings and visits of an account."""

import asyncio
import json
from typing import Any, Final

import click

from service.cli.database import connected
from service.cli.progress import Progress
from service.erase.erase import Erasure, Report
from service.erase.person import Person
from service.settings import Settings, load_settings
from service.topics import retention

ELSEWHERE: Final = (
    "backups of the database, and what consumers have made of the events (these tell them of the erasure)"
)


@click.command()
@click.option("--account", required=True, help="The account that knows the person.")
@click.option("--customer", "customers", multiple=True, metavar="ID", help="A customer id; may be given several times.")
@click.option(
    "--phone", "phones", multiple=True, metavar="NUMBER", help="A phone number, in any spelling of its digits."
)
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="An e-mail address, in any case.")
@click.option("--reason", help="Goes into the events; it must not name the person.")
@click.option("--dry-run", is_flag=True, help="Only tell what is about the person.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON, for other programs.")
def erase(
    account: str,
    customers: tuple[str, ...],
    phones: tuple[str, ...],
    emails: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Blank a person wherever a booking or visit of the account is about them, finished ones included.

    Whatever matches any of what is given is blanked: customer, names, contact, notes, custom fields. State, times,
    amounts and references stay. The running service does it, by commands like any other, so that events tell it. It can
    be interrupted and begun again at any time: nothing is done twice.

    \b
    Examples:
      bookstream erase --account acc-1 --phone +4790090090 --email john@doe.example --dry-run
      bookstream erase --account acc-1 --customer c-1
    """  # noqa: D301 (click reads the escape)
    if not (customers or phones or emails):
        raise click.UsageError("say who: --customer, --phone or --email")
    if any(not any(letter.isdigit() for letter in phone) for phone in phones) or not all((*customers, *emails)):
        raise click.UsageError("an empty customer, phone or e-mail is nobody")
    person, progress = Person(account, customers, phones, emails), Progress()
    try:
        report = asyncio.run(_erase(load_settings(), person, reason, progress, dry_run=dry_run))
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; run it again to go on") from None
    finally:
        progress.end()
    _show(person, report, dry_run=dry_run, as_json=as_json)


async def _erase(
    settings: Settings, person: Person, reason: str | None, progress: Progress, *, dry_run: bool
) -> Report:
    async with connected(settings, "erase") as connection:
        erasure = Erasure(connection, person, reason=reason, tell=progress.tell)
        return await (erasure.look() if dry_run else erasure.run())


def _show(person: Person, report: Report, *, dry_run: bool, as_json: bool) -> None:
    others = sorted(report.customers - set(person.customer_ids))
    remains = {name: milliseconds // 86_400_000 for name, milliseconds in retention().items()}
    if as_json:
        summary: dict[str, Any] = {
            "account_id": person.account_id,
            "dry_run": dry_run,
            "bookings": report.found["booking"],
            "visits": report.found["visit"],
            "dry_runs_forgotten": report.dry_runs,
            "other_customers": others,
            "days_in_topics": remains,
        }
        click.echo(json.dumps(summary))
        return
    verb = "would be erased" if dry_run else "erased"
    click.echo(f"{verb}: {report.found['booking']} bookings, {report.found['visit']} visits")
    click.echo(f"{verb}: the remembered answers of {report.dry_runs} dry runs")
    if others:
        click.echo(
            f"known there by other customer ids too, erase them as well if they are the same: {', '.join(others)}"
        )
    click.echo("still there until their time is over:")
    for days in sorted(set(remains.values())):
        names = ", ".join(name for name, kept in remains.items() if kept == days)
        click.echo(f"  {days} days  records of before in {names}")
    click.echo(f"  {ELSEWHERE}")
