"""The command line as a process of its own."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the command line ended."""

    code: int
    out: list[str]
    err: str


Run = Callable[..., Awaitable[Ended]]


async def start(project_root: Path, arguments: Sequence[str]) -> asyncio.subprocess.Process:
    """Start `bookstream`."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", *arguments, cwd=project_root, stdin=pipe, stdout=pipe, stderr=pipe
    )
