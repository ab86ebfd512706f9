"""One run of `dlq replay`: reads, chooses, sends, notes how far it has come."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import headers as names
from service.cli.connect import Target
from service.cli.dlq.choice import Choice
from service.cli.dlq.letter import Letter
from service.cli.dlq.resend import resending
from service.cli.dlq.scan import Scan

Send = Callable[[Sequence[Letter]], Awaitable[None]]


@dataclass(slots=True)
class Tally:
    """How far it is: `before` was looked at by an earlier run, `left_out` can't be sent."""

    total: int = 0
    before: int = 0
    looked_at: int = 0
    sent: int = 0
    left_out: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def members(self) -> dict[str, Any]:
        """As JSON values."""
        counts = {"total": self.total, "before": self.before, "looked_at": self.looked_at, "sent": self.sent}
        return {**counts, "left_out": self.left_out, "reasons": dict(self.reasons)}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done; a run with the same choice goes on where the last one was, unless `from_start`."""

    choice: Choice
    group: str
    limit: int | None = None
    dry_run: bool = False
    from_start: bool = False


async def replay(target: Target, plan: Plan, *, idempotent: bool, tell: Callable[[Tally], None]) -> Tally:
    """Sends what is chosen of all that lies there at the start; `tell` is called after each chunk."""
    tally = Tally()
    async with Scan(target, f"{plan.group}.dlq-replay.{plan.choice.name}", (names.COMMANDS_REPLAY,)) as scan:
        tally.total = scan.total
        if not plan.from_start:
            tally.before = await scan.go_on()
        if plan.dry_run:
            await _run(scan, plan, tally, _send_nothing, tell)
        else:
            async with resending(target, idempotent=idempotent) as resender:
                await _run(scan, plan, tally, resender.send, tell)
    return tally


async def replay_these(target: Target, letters: Sequence[Letter], *, idempotent: bool) -> None:
    """Sends single dead letters, whatever was sent before."""
    async with resending(target, idempotent=idempotent) as resender:
        await resender.send(letters)


async def _run(scan: Scan, plan: Plan, tally: Tally, send: Send, tell: Callable[[Tally], None]) -> None:
    """What a chunk moves on by is noted when all of it is acknowledged: who is killed before sends some twice."""
    async for letters in scan.chunks():
        batch: list[Letter] = []
        following: dict[int, int] = {}
        for letter in letters:
            if plan.limit is not None and tally.sent + len(batch) >= plan.limit:
                break
            following[letter.partition] = letter.offset + 1
            tally.looked_at += 1
            if plan.choice.takes(letter):
                if letter.is_left_out:
                    tally.left_out += 1
                else:
                    batch.append(letter)
        await send(batch)
        tally.sent += len(batch)
        tally.reasons.update(letter.reason for letter in batch)
        if following and not plan.dry_run:
            await scan.note(following)
        tell(tally)
        if plan.limit is not None and tally.sent >= plan.limit:
            return


async def _send_nothing(letters: Sequence[Letter]) -> None:
    del letters
