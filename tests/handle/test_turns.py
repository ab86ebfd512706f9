import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from service.decode.record import decode
from service.handle import batch
from service.handle.fold import Fold
from service.turn import Turn
from tests.handle.harness import Bench
from tests.support.records import create, record

RECORDS = 40


async def seen_by_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> tuple[Sequence[int], Sequence[int]]:
    """How often another task had run at each command that was decoded, and at each that was decided."""
    rounds, decoded, decided = 0, list[int](), list[int]()
    decide = Fold._decide_safely

    async def run() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    def decodes(*asked: Any) -> Any:
        decoded.append(rounds)
        return decode(*asked)

    def decides(*asked: Any) -> Any:
        decided.append(rounds)
        return decide(*asked)

    monkeypatch.setattr(batch, "decode", decodes)
    monkeypatch.setattr(Fold, "_decide_safely", decides)
    other = asyncio.create_task(run())
    found = await bench.apply(*(record("create-booking", create(f"b-{n}")) for n in range(RECORDS)))
    other.cancel()
    assert [each.type for each in found] == ["booking-changed"] * RECORDS
    return decoded, decided


async def test_others_run_between_commands_when_the_turn_is_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long batch passes on while it decodes and while it decides, here after each command."""
    monkeypatch.setattr("service.turn.LONGEST", -1.0)
    for seen in await seen_by_others(bench, monkeypatch):
        assert seen == sorted(set(seen))
        assert len(seen) == RECORDS


async def test_nobody_is_asked_while_the_turn_lasts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small batch is decoded in one go, and decided in one go."""
    monkeypatch.setattr("service.turn.LONGEST", 60.0)
    for seen in await seen_by_others(bench, monkeypatch):
        assert len(seen) == RECORDS
        assert len(set(seen)) == 1


async def test_a_turn_begins_anew_after_it_was_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work may go on for the whole of the time again."""
    monkeypatch.setattr("service.turn.LONGEST", -1.0)
    turn = Turn()
    assert turn.over
    monkeypatch.setattr("service.turn.LONGEST", 60.0)
    await turn.pass_on()
    assert not turn.over
