"""The words of the demo, whatever screen shows them."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from schemas import headers as names
from service.cli.answers import Sent
from service.cli.demo.check import Report
from service.cli.demo.play import Played, changes_of
from service.cli.demo.stack import Stack
from service.cli.demo.story import story_path
from service.cli.lines import ID_MEMBERS, Outgoing
from service.cli.render import acceptance, change, dead_letter, printable, refusal

Tone = Literal["command", "event", "same", "refused", "dead letter", "wrong"]
# Where a command is told in a few words, these members of its data say nothing new.
UNTOLD: Final = frozenset({"account_id", *ID_MEMBERS})
LONGEST_GIST: Final = 90


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the screen."""

    tone: Tone
    text: str


def lines_of(sent: Sent, played: Played) -> Iterator[Line]:
    """A command, and below it the events that it became, or why it became none."""
    yield Line("command", printable(f"  > {command(sent.outgoing)}"))
    for tone, text in _outcome(sent, played):
        yield Line(tone, printable(f"      {text}"))


def _outcome(sent: Sent, played: Played) -> Iterator[tuple[Tone, str]]:
    answer = sent.answer
    if answer is None:
        yield "wrong", "? no answer"
    elif answer.kind == "dead letter":
        yield "dead letter", f"! dead letter  {dead_letter(answer.headers)}"
    elif sent.repeats:
        told = refusal(answer.value) if answer.kind == "refused" else acceptance(answer.value)
        yield "same", f"= sent before, the first answer again: {told}"
    elif answer.kind == "refused":
        yield "refused", f"x {refusal(answer.value)}"
    elif changes := changes_of(sent):
        for account, kind, identity, version in changes:
            event = played.events.get((account, kind, identity, version))
            yield "event", f"+ {identity:<6} {change(event.value) if event else f'v{version} was not published'}"
    else:
        tone: Tone = "event" if answer.value.get("outcome") == "applied" else "same"
        yield tone, f"{'+' if tone == 'event' else '='} {acceptance(answer.value)}"


def command(line: Outgoing) -> str:
    """A command in a few words."""
    if line.id is None:
        return f"{line.topic} <- {(line.value or b'').decode('utf-8', 'backslashreplace')}"
    sender = line.source.removeprefix("//") + (", internal" if line.internal else "")
    gist = _gist({name: value for name, value in line.data.items() if name not in UNTOLD})
    gist = gist if len(gist) <= LONGEST_GIST else gist[: LONGEST_GIST - 3] + "..."
    return f"{line.type} {line.aggregate_id}  {gist}  ({sender})"


def _gist(data: Mapping[str, Any]) -> str:
    parts = []
    for name, value in data.items():
        if name in ("booking", "visit", "patch", "settings", "inputs", "options") and isinstance(value, dict):
            parts.append(_gist(value))
        elif name == "starts_at":
            parts.append(f"{str(value)[5:10]} {str(value)[11:16]}")
        elif name == "guest" and isinstance(value, dict):
            parts.append(str(value.get("first_name") or "guest"))
        elif name not in ("ends_at", "statuses"):
            parts.append(
                str(value) if name in ("action", "name") else f"{name} {json.dumps(value, ensure_ascii=False)}"
            )
    return ", ".join(filter(None, parts))


def summary(told: Report) -> list[tuple[str, str]]:
    """The figures, with what they mean."""
    outcomes = told.outcomes
    gapless = (
        "versions gapless" if not any("versions" in problem for problem in told.problems) else "versions NOT gapless"
    )
    return [
        ("records sent", str(told.records)),
        ("applied", str(outcomes.get("applied", 0))),
        ("change events", f"{told.events} of {told.aggregates} bookings and visits, {gapless} for each"),
        ("accepted, nothing to change", str(outcomes.get("unchanged", 0))),
        ("dry runs", str(outcomes.get("validated", 0))),
        ("duplicates that changed nothing", str(outcomes.get("repeat", 0))),
        ("refused", f"{outcomes.get('refused', 0)}, with {len(told.refusals)} different codes"),
        *_refusals(told.refusals),
        ("dead letters", str(told.dead_letters)),
        ("as the story expects", "yes" if not told.problems else f"NO: {len(told.problems)} problems"),
    ]


def _refusals(refusals: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """One row for each status."""
    for status in sorted({code.partition(" ")[0] for code in refusals}):
        codes = [(code.partition(" ")[2], count) for code, count in sorted(refusals.items()) if code.startswith(status)]
        yield f"  {status}", ", ".join(f"{detail} {count}" for detail, count in codes)


def next_steps(stack: Stack) -> list[tuple[str, str]]:
    """What to type in another terminal, and what it shows."""
    program, at = _program(), f"--bootstrap {stack.target.bootstrap}"
    story = _from_here(story_path())
    action = {
        "type": names.STATE_ACTION,
        "data": {"account_id": "helsehus", "booking_id": "c-103", "action": "cancel"},
    }
    return [
        ("follow events, results and dead letters", f"{program} tail {at}"),
        ("cancel a booking (twice: the second is refused)", f"echo '{json.dumps(action)}' | {program} send {at} -"),
        ("send the whole story again: the same answers, no new event", f"{program} send {at} {story}"),
        ("everything that happened to one booking", f"{program} tail {at} --from-beginning --key n-101 --idle 2"),
        ("look into the database", f"psql {stack.database_url}"),
    ]


def _program() -> str:
    """How this program is called from here."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py" or not started.exists():
        return f"{_from_here(Path(sys.executable))} -m service"
    found = shutil.which(started.name)
    if found is not None and Path(found).resolve() == started.resolve():
        return started.name
    return _from_here(started)


def _from_here(path: Path) -> str:
    """A path as it is best typed: relative where it lies below the directory that one is in."""
    relative = os.path.relpath(path)
    return str(path.absolute()) if relative.startswith(os.pardir) else relative
