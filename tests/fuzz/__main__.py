"""Hostile bytes for the parts that read what strangers send, until the time is over or one of them breaks.

python -m tests.fuzz --target decode --seconds 60 --seed 1
python -m tests.fuzz --target decode --case 7b7d
python -m tests.fuzz --target decode --seconds 600 --guided
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.fuzz import guided
from tests.fuzz.engine import Finding, Outcome, Target, attempt, run
from tests.fuzz.mutator import MAX_CASE
from tests.fuzz.targets import batches, decode, graphs, links, merge, probes, signature

# A module is a target; the checker of types compares its functions.
TARGETS: Final[Mapping[str, Target]] = {
    "batches": batches,
    "decode": decode,
    "signature": signature,
    "merge": merge,
    "graphs": graphs,
    "links": links,
    "probes": probes,
}
BETWEEN_LINES: Final = 5.0
# Of one case in a guided run: in seconds, and in MiB.
LONGEST: Final = 10
MOST_MEMORY: Final = 1_024


def main(arguments: Iterable[str] | None = None, targets: Mapping[str, Target] = TARGETS) -> int:
    """Runs one target or all; ends with 1 at the first finding, which is shown with its bytes.

    Ends with 2 where it can't be done.
    """
    chosen = _parse(arguments, targets)
    if chosen.guided and not guided.is_there():
        sys.stderr.write(guided.MISSING)
        return 2
    for name in targets if chosen.target == "all" else [chosen.target]:
        if chosen.case is not None:
            finding = attempt(targets[name], bytes.fromhex(chosen.case))
        elif chosen.guided:
            finding = _run_guided(targets[name], chosen)
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


def _run_guided(target: Target, chosen: argparse.Namespace) -> Finding | None:
    """Begins with the sound cases; libFuzzer tells of its progress by itself."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, found = Path(folder, "corpus"), Path(folder, "found")
        corpus.mkdir()
        found.mkdir()
        for number, case in enumerate(target.seeds()):
            (corpus / f"sound-{number}").write_bytes(case)
        options = {
            "max_total_time": max(1, round(chosen.seconds)),
            "runs": -1 if chosen.cases is None else chosen.cases,
            "seed": chosen.seed,
            "max_len": MAX_CASE,
            "timeout": LONGEST,
            "rss_limit_mb": MOST_MEMORY,
            "artifact_prefix": f"{found}/",
            "print_final_stats": 1,
        }
        module = target.target.__module__
        told = [f"-{name}={value}" for name, value in options.items()]
        code = subprocess.run(
            [sys.executable, "-m", guided.__name__, module, *told, str(corpus)], check=False
        ).returncode
        for file in sorted(found.iterdir()):
            case = file.read_bytes()
            return attempt(target, case) or Finding(case, f"{file.name}: only as it says above\n")
    return None if code == 0 else Finding(b"", f"it ended with {code}, as it says above\n")


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
    parser.add_argument("--guided", action="store_true", help="by what the cases reach, where there is atheris")
    parser.add_argument("--case", help="one case alone, as hex")
    return parser.parse_args(None if arguments is None else list(arguments))


if __name__ == "__main__":
    sys.exit(main())
