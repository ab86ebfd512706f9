"""Hostile bytes for the parts that read what strangers send, until the time is over or one of them breaks.

python -m tests.fuzz --target decode --seconds 60 --seed 1
python -m tests.fuzz --target decode --case 7b7d
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tests.fuzz.engine import Finding, Outcome, Target, attempt, run
from tests.fuzz.targets import decode, graphs, links, merge, probes, signature

# A module is a target; the checker of types compares its functions.
TARGETS: Final[Mapping[str, Target]] = {
    "decode": decode,
    "signature": signature,
    "merge": merge,
    "graphs": graphs,
    "links": links,
    "probes": probes,
}
BETWEEN_LINES: Final = 5.0


def main(arguments: Iterable[str] | None = None, targets: Mapping[str, Target] = TARGETS) -> int:
    """Runs one target or all; ends with 1 at the first finding, which is shown with its bytes."""
    chosen = _parse(arguments, targets)
    for name in targets if chosen.target == "all" else [chosen.target]:
        if chosen.case is not None:
            finding = attempt(targets[name], bytes.fromhex(chosen.case))
        else:
            finding = _run(name, targets[name], chosen)
        if finding is not None:
            sys.stdout.write(f"{name}: {finding}")
            return 1
    return 0


def _run(name: str, target: Target, chosen: argparse.Namespace) -> Finding | None:
    outcome = run(target, chosen.seed, most=chosen.cases, seconds=chosen.seconds, tell=_teller(name))
    sys.stderr.write(f"{name}, seed {chosen.seed}: {outcome}\n")
    return outcome.finding


def _teller(name: str) -> Callable[[Outcome], None]:
    told = time.monotonic()

    def tell(outcome: Outcome) -> None:
        nonlocal told
        if time.monotonic() - told >= BETWEEN_LINES:
            told = time.monotonic()
            sys.stderr.write(f"{name}: {outcome}\n")

    return tell


def _parse(arguments: Iterable[str] | None, targets: Mapping[str, Target]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--target", choices=[*targets, "all"], default="all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--cases", type=int, help="end after so many")
    parser.add_argument("--seed", type=int, default=1, help="of the cases; the same gives the same")
    parser.add_argument("--case", help="one case alone, as hex")
    return parser.parse_args(None if arguments is None else list(arguments))


if __name__ == "__main__":
    sys.exit(main())
