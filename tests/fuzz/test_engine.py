from collections.abc import Sequence

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.engine import run
from tests.fuzz.frame import read, records, write
from tests.fuzz.mutator import MAX_CASE, Mutator


class Sound:
    """A target that takes everything."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def target(self, data: bytes) -> None:
        """Keeps what it was given."""
        self.taken.append(data)

    def seeds(self) -> Sequence[bytes]:
        """One case."""
        return [b'{"name": "value", "number": 12}']


class Broken(Sound):
    """A target that can't stand a byte."""

    def target(self, data: bytes) -> None:
        """Breaks where it comes."""
        if b"\xff" in data:
            raise LookupError("no such byte")


def test_a_finding_ends_the_run_and_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code, the error and the bytes tell of it, and the bytes alone bring it back."""
    targets = {"broken": Broken()}
    assert main(["--cases", "100000", "--seed", "3"], targets) == 1
    told = capsys.readouterr().out
    assert "LookupError: no such byte" in told
    case = told.partition("case as hex: ")[2].splitlines()[0]
    assert "ff" in case
    assert main(["--target", "broken", "--case", case], targets) == 1
    assert main(["--target", "broken", "--case", "00"], targets) == 0


def test_a_sound_target_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    """So many cases are tried, the sound ones first, and told of."""
    target = Sound()
    assert main(["--cases", "1200", "--target", "sound"], {"sound": target, "broken": Broken()}) == 0
    assert len(target.taken) == 1200
    assert target.taken[0] == target.seeds()[0]
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.startswith("sound, seed 1: 1200 cases, ")


def test_a_run_ends_by_time() -> None:
    """Without a number of cases the time ends it."""
    assert run(Sound(), 1, seconds=0.0).cases == 0


def test_the_same_seed_gives_the_same_cases() -> None:
    """Another one gives others; none is longer than allowed."""
    cases = [[each.case() for _ in range(2000)] for each in (Mutator(seed, Sound().seeds()) for seed in (1, 1, 2))]
    assert cases[0] == cases[1] != cases[2]
    assert max(map(len, cases[0])) <= MAX_CASE


def test_a_record_comes_back_as_it_was() -> None:
    """Null keys, values and headers, and names that are no UTF-8, survive; any bytes are a record."""
    sound = next(records())
    odd = sound._replace(key=None, value=None, headers=(("x\udcff", None), ("", b""), ("y", b"\xff")), timestamp=-5)
    for made in (*records(), odd):
        back = read(write(made))
        assert back._replace(offset=0) == made
    for data in (b"", b"\x1e" * 9, b"\xff"):
        assert read(data).topic
