"""Whether everything happened as the story says, and the figures of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.headers import CE_ID, DLQ_OFFSET, DLQ_PARTITION, DLQ_TOPIC
from service.cli.answers import Sent
from service.cli.demo.play import Played, changes_of
from service.cli.follow import Seen


@dataclass(frozen=True, slots=True)
class Report:
    """Figures for people; `problems` is empty where the story was kept to."""

    records: int
    outcomes: Mapping[str, int]
    refusals: Mapping[str, int]
    events: int
    aggregates: int
    dead_letters: int
    problems: Sequence[str]


def happened(sent: Sent) -> str:
    """What became of a record, in the words of the story."""
    if sent.repeats:
        return "repeat"
    if sent.answer is not None and sent.answer.kind == "refused":
        return f"refused {sent.answer.value.get('status')} {sent.answer.value.get('detail')}"
    return sent.outcome


def report(played: Played) -> Report:
    """Compares what happened with what the story expects, and with what the contract promises."""
    outcomes = Counter("refused" if sent.outcome == "refused" else happened(sent) for sent in played.sent)
    outcomes["repeat"] = sum(sent.repeats for sent in played.sent)
    outcomes["refused"] = sum(sent.outcome == "refused" and not sent.repeats for sent in played.sent)
    refusals = Counter(
        happened(sent).removeprefix("refused ")
        for sent in played.sent
        if sent.outcome == "refused" and not sent.repeats
    )
    return Report(
        records=len(played.sent),
        outcomes=outcomes,
        refusals=refusals,
        events=len(played.events),
        aggregates=len({change[:3] for change in played.events}),
        dead_letters=sum(seen.kind == "dead letter" for seen in played.seen),
        problems=[*_unexpected(played), *_unlike_repeats(played), *_gaps(played), *_strays(played)],
    )


def _unexpected(played: Played) -> list[str]:
    return [
        f"line {sent.outgoing.number} ({sent.outgoing.type} {sent.outgoing.aggregate_id}): "
        f"expected {sent.outgoing.expect}, got {happened(sent)}"
        for sent in played.sent
        if happened(sent) != sent.outgoing.expect
    ]


def _unlike_repeats(played: Played) -> list[str]:
    """A repeat gets the first answer again, byte for byte."""
    first: dict[str, bytes | None] = {}
    unlike = []
    for sent in played.sent:
        if sent.answer is None or sent.answer.kind == "dead letter":
            continue
        if first.setdefault(sent.answer.headers.get(CE_ID, ""), sent.answer.raw) != sent.answer.raw:
            unlike.append(f"line {sent.outgoing.number}: the repeat's answer is not the first one's")
    return unlike


def _gaps(played: Played) -> list[str]:
    """Versions of an aggregate come as 1, 2, 3 in the order of the topic."""
    versions: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for account, kind, identity, version in played.events:
        versions[account, kind, identity].append(version)
    return [
        f"{kind} {account}/{identity}: versions {found}"
        for (account, kind, identity), found in versions.items()
        if found != list(range(1, len(found) + 1))
    ]


def _strays(played: Played) -> list[str]:
    """Nothing came that no command accounts for."""
    told = {change for sent in played.sent for change in changes_of(sent)}
    stray = [f"an event that no answer speaks of: {change}" for change in sorted(played.events.keys() - told)]
    answers = {_identity(seen) for seen in played.seen if seen.kind in ("accepted", "refused", "dead letter")}
    answered = {_identity(sent.answer) for sent in played.sent if sent.answer is not None}
    stray += [f"an answer to nothing that was sent: {identity}" for identity in sorted(answers - answered)]
    return stray


def _identity(seen: Seen) -> str:
    """What stays the same where a record is published twice."""
    if seen.kind == "dead letter":
        return "/".join(seen.headers.get(name, "") for name in (DLQ_TOPIC, DLQ_PARTITION, DLQ_OFFSET))
    return seen.headers.get(CE_ID, "")
