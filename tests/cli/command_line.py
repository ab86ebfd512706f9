"""The command line as a process of its own."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
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


async def finished(
    settings: Mapping[str, str], arguments: Sequence[str], *, interrupt: Awaitable[object] | None = None
) -> tuple[int, str, str]:
    """Run `bookstream` with exactly these settings to its end; gives exit code, output and standard error.

    With `interrupt`, Ctrl-C comes when that is over.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", *arguments, env=dict(settings), cwd="/", stdout=pipe, stderr=pipe
    )
    ended = asyncio.create_task(process.communicate())
    if interrupt is not None:
        await interrupt
        process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(ended, 50)
    return process.returncode or 0, out.decode(), err.decode()
