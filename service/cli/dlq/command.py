"""The subcommands of `bookstream dlq`."""

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import click
from aiokafka.errors import KafkaError

from schemas import headers as names
from service.cli.connect import Target, find_target, kafka_options
from service.cli.dlq.choice import Choice, choice_options, chosen
from service.cli.dlq.letter import Letter, as_command, line, members, whole
from service.cli.dlq.replay import Plan, Tally, replay, replay_these
from service.cli.dlq.scan import Scan
from service.cli.progress import Progress
from service.cli.render import printable
from service.settings import load_settings

ID: Final = re.compile(r"(?:([A-Za-z0-9._-]+)[-/@])?(\d{1,9})[-/@](\d{1,18})", re.ASCII)
MANY: Final = 20

Result = TypeVar("Result")


@click.group()
def dlq() -> None:
    """The dead letters: what is no command, and what broke the service.

    They stay on their topic for as long as it keeps them; nothing here takes one away. Each subcommand takes --json.
    """


@dlq.command("list")
@kafka_options
@choice_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
@click.option("--json", "as_lines_of_json", is_flag=True, help="Lines of JSON, without the values.")
def list_letters(
    bootstrap: str | None, prefix: str | None, limit: int | None, as_lines_of_json: bool, **given: Any
) -> None:
    """List dead letters, one line each: id, when, key, reason, where it came from.

    \b
    Examples:
      bookstream dlq list --reason internal_error --from 2026-12-01T00:00:00Z
      bookstream dlq list --json | jq -r .reason | sort | uniq -c
    """  # noqa: D301 (click reads the escape)
    target = find_target(bootstrap, prefix)
    counts = run(target, _list(target, chosen(**given), limit, as_lines_of_json=as_lines_of_json))
    told = ", ".join(f"{count} {reason}" for reason, count in counts.most_common()) or "none"
    click.echo(f"{counts.total()} dead letters: {printable(told)}", err=True)


async def _list(target: Target, choice: Choice, limit: int | None, *, as_lines_of_json: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    async with Scan(target) as scan:
        async for letters in scan.chunks():
            for letter in filter(choice.takes, letters):
                if counts.total() == limit:
                    return counts
                counts[letter.reason] += 1
                click.echo(json.dumps(members(letter)) if as_lines_of_json else line(letter))
    return counts


@dlq.command("show")
@click.argument("letter_id", metavar="ID")
@kafka_options
@click.option("--body", "form", flag_value="body", help="Its bytes alone, as they came.")
@click.option("--command", "form", flag_value="command", help="A line for `bookstream send`: it as a new command.")
@click.option("--json", "form", flag_value="json", help="Everything as JSON; the value as text and in base64.")
def show_letter(letter_id: str, bootstrap: str | None, prefix: str | None, form: str | None) -> None:
    """Show one dead letter: key, headers, and bytes.

    ID is what `list` says (commands-dlq-3-17), or where the record first came (booking-commands-0-42: of several the
    last). To mend one, write it out as a new command, edit it and send it:

    \b
      bookstream dlq show commands-dlq-3-17 --command > mended.jsonl
      bookstream send mended.jsonl
    """  # noqa: D301 (click reads the escape)
    target = find_target(bootstrap, prefix)
    (letter,) = run(target, _find(target, [letter_id]))
    if form == "body":
        sys.stdout.buffer.write(letter.value or b"")
    elif form == "command":
        command = as_command(letter)
        if command is None:
            raise click.ClickException("key, headers or value are no text; --body writes the bytes as they are")
        click.echo(json.dumps(command, ensure_ascii=False))
    elif form == "json":
        click.echo(json.dumps(whole(letter)))
    else:
        _show(letter)


def _show(letter: Letter) -> None:
    click.echo(line(letter))
    for name, value in letter.headers:
        shown = "(null)" if value is None else value.decode("utf-8", "backslashreplace")
        click.echo(printable(f"  {name}: {shown}"))
    if letter.value is not None:
        click.echo()
        click.echo("\n".join(map(printable, letter.value.decode("utf-8", "backslashreplace").splitlines())))


@dlq.command("replay")
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@kafka_options
@choice_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Send at most so many; run again to go on.")
@click.option("--dry-run", is_flag=True, help="Only count what would be sent.")
@click.option("--from-start", is_flag=True, help="Look at all again, also at what an earlier run was through with.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def replay_letters(
    letter_ids: tuple[str, ...],
    bootstrap: str | None,
    prefix: str | None,
    limit: int | None,
    dry_run: bool,
    from_start: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Send dead letters again: those with these IDs, or all that the filters choose.

    They go to commands-replay with key, bytes and headers as they are, and are decided as on the topic where they first
    came, with the actor and the time of then. What fails again is a dead letter again, with one more attempt. A command
    that took effect meanwhile is only answered again.

    How far it is, is kept for each choice of filters: interrupt it at any time, and run the same again to go on, or
    later for what came since. What comes while it runs is left to the next run.

    \b
    Examples:
      bookstream dlq replay --reason internal_error --dry-run
      bookstream dlq replay --reason internal_error
      bookstream dlq replay commands-dlq-3-17
    """  # noqa: D301 (click reads the escape)
    choice = chosen(**given)
    if letter_ids and (choice != Choice() or limit is not None or from_start):
        raise click.UsageError("IDs say which: leave the filters, --limit and --from-start out")
    settings, target, progress = load_settings(), find_target(bootstrap, prefix), Progress()
    plan = Plan(choice, settings.group_id, limit, dry_run, from_start)
    try:
        if letter_ids:
            tally = run(target, _replay_these(target, letter_ids, dry_run=dry_run, safe=settings.kafka_idempotence))
        else:
            work = replay(target, plan, idempotent=settings.kafka_idempotence, tell=_telling(progress))
            tally = run(target, work)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; run the same again to go on from here") from None
    finally:
        progress.end()
    click.echo(json.dumps({**tally.members(), "dry_run": dry_run}) if as_json else _summary(tally, dry_run=dry_run))


async def _replay_these(target: Target, letter_ids: Sequence[str], *, dry_run: bool, safe: bool) -> Tally:
    found = await _find(target, letter_ids, (names.COMMANDS_REPLAY,))
    letters = [letter for letter in found if not letter.is_left_out]
    if not dry_run:
        await replay_these(target, letters, idempotent=safe)
    left_out = len(found) - len(letters)
    reasons = Counter(letter.reason for letter in letters)
    return Tally(len(found), 0, len(found), len(letters), left_out, reasons)


def _telling(progress: Progress) -> Callable[[Tally], None]:
    def tell(tally: Tally) -> None:
        done = tally.before + tally.looked_at
        share = 100 * done // max(tally.total, 1)
        progress.tell(f"{done} of {tally.total} dead letters ({share} %), {tally.sent} sent")

    return tell


def _summary(tally: Tally, *, dry_run: bool) -> str:
    verb = "would be sent" if dry_run else "sent to commands-replay"
    told = [f"{tally.sent} {verb}"]
    told += [f"  {count} {printable(reason)}" for reason, count in tally.reasons.most_common(MANY)]
    if tally.left_out:
        told.append(f"{tally.left_out} can't be sent: their values were too large to be kept, or can't be read")
    if tally.before:
        told.append(f"{tally.before} were looked at by an earlier run; --from-start looks at them again")
    return "\n".join(told)


async def _find(target: Target, letter_ids: Sequence[str], also: Sequence[str] = ()) -> list[Letter]:
    letters = []
    async with Scan(target, also=also) as scan:
        for letter_id in letter_ids:
            letter = await _look_up(scan, letter_id.removeprefix(target.prefix))
            if letter is None:
                raise click.ClickException(f"there is no dead letter {printable(letter_id)}; `bookstream dlq list`")
            letters.append(letter)
    return letters


async def _look_up(scan: Scan, letter_id: str) -> Letter | None:
    named = ID.fullmatch(letter_id)
    if named is None:
        raise click.UsageError(f"{letter_id!r} is no id of a dead letter, such as commands-dlq-3-17")
    topic, partition, offset = named[1] or names.COMMANDS_DLQ, int(named[2]), int(named[3])
    if topic == names.COMMANDS_DLQ:
        return await scan.find(partition, offset)
    found = None
    choice = Choice(topic=topic, partition=partition, offsets=(offset, offset))
    scan.rewind()
    async for letters in scan.chunks():
        for letter in filter(choice.takes, letters):
            found = letter
    return found


def run(target: Target, work: Coroutine[Any, Any, Result]) -> Result:
    """Runs it to its end; a failure of Kafka becomes one clear line."""
    try:
        return asyncio.run(work)
    except KafkaError as error:
        raise click.ClickException(f"Kafka at {target.bootstrap} failed: {error or type(error).__name__}") from error
