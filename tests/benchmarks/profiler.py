"""Looks into a running worker with py-spy and tells where its time goes."""

import asyncio
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

RATE = 250
TOP = 25
OVERALL = 0.995


class ProfilerMissing(Exception):
    """There is no py-spy; the text carries the remedy."""


def find() -> str:
    """Return the program; raises ProfilerMissing."""
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        raise ProfilerMissing("py-spy is not installed; remedy: pip install py-spy")
    return found


async def record(pid: int, seconds: int, output: Path) -> str:
    """Sample a process, write a speedscope file (an SVG flame graph for that suffix) and return the top functions."""
    program = find()
    flame_graph = output.suffix == ".svg"
    speedscope = output.with_suffix(".speedscope.json") if flame_graph else output
    wanted = [("speedscope", speedscope)] + ([("flamegraph", output)] if flame_graph else [])
    for kind, path in wanted:
        process = await asyncio.create_subprocess_exec(
            program, "record", "--pid", str(pid), "--duration", str(seconds), "--rate", str(RATE), "--format", kind,
            "--output", str(path), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"py-spy failed: {said.decode()}")
    return summary(speedscope)


def summary(path: Path) -> str:
    """Rank the functions of a speedscope file by their own samples, and by those of what they call too."""
    data = json.loads(path.read_text(encoding="utf-8"))
    frames = [f"{frame['name']} ({_short(frame.get('file') or '?')})" for frame in data["shared"]["frames"]]
    own: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    for profile in data["profiles"]:
        for stack in profile["samples"]:
            if stack:
                own[frames[stack[-1]]] += 1
                inclusive.update({frames[number] for number in stack})
    total = own.total()
    lines = [f"{total} samples"]
    for title, ranking in (("own", own), ("with what they call", inclusive)):
        lines += ["", f"functions by time, {title}"]
        # What stands above everything tells nothing.
        telling = [(name, count) for name, count in ranking.most_common() if count < OVERALL * total]
        lines += [f"  {count / total:6.1%}  {name}" for name, count in telling[:TOP]]
    return "\n".join(lines)


def _short(file: str) -> str:
    """Leave out where libraries and the project are installed."""
    root = str(Path(__file__).resolve().parents[2])
    return file.rpartition("/site-packages/")[2].removeprefix(root).lstrip("/")
