"""The service at work for the readers' programs, and how these programs are run."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from schemas.headers import TOPICS
from tests.docs.blocks import Block

T = TypeVar("T")
ADDRESS = "127.0.0.1:9092"
# One after the other is answered: between the internal channel and the external ones there is no order.
PLACE = (
    """{"type": "configure-location", "id": "d-1", "source": "//docs",
        "data": {"account_id": "acc-1", "location_id": "oslo", "settings": {}}}""",
    """{"type": "create-booking", "id": "d-2", "source": "//docs",
        "data": {"account_id": "acc-1", "booking_id": "b-1001", "location_id": "oslo", "graph": "venue",
            "booking": {"starts_at": "2099-12-24T18:00:00Z", "ends_at": "2099-12-24T20:00:00Z"}}}""",
)
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Town:
    """Where the service is, and the settings of whoever speaks to it."""

    bootstrap: str
    prefix: str
    settings: Mapping[str, str]

    def program(self, block: Block) -> str:
        """A program of a page, on the test's broker and topics in place of those that a reader has."""
        text = block.text.replace(ADDRESS, self.bootstrap).replace("message.topic", f"'{self.prefix}' + message.topic")
        for topic in TOPICS:
            text = text.replace(f'"{topic.name}"', f'"{self.prefix}{topic.name}"')
        return text.replace('reply_to="' + self.prefix, 'reply_to="')


async def start_program(text: str) -> Process:
    """Starts a program of a page with what a reader has: this project's `schemas`, and nothing set."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment["PYTHONPATH"] = str(ROOT)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-u", "-c", text, env=environment, stdout=PIPE, stderr=PIPE
    )


def with_bookstream(settings: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The settings, and a `bookstream` on the PATH that is the one of this tree."""
    script = folder / "bin" / "bookstream"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m service "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return {**settings, "PATH": f"{script.parent}:{settings['PATH']}", "PYTHONPATH": str(ROOT)}


async def start_shell(line: str, settings: Mapping[str, str], folder: Path = ROOT) -> Process:
    """Starts a line of shell as a reader would, at the top of the project."""
    return await asyncio.create_subprocess_exec(
        "bash", "-c", line, env=dict(settings), cwd=folder, stdout=PIPE, stderr=PIPE
    )


async def first_line(process: Process) -> bytes:
    """Waits for what a program prints first."""
    assert process.stdout is not None
    return await _or_killed(process, process.stdout.readline())


async def ended(process: Process) -> tuple[int, str, str]:
    """Waits for the end of a program."""
    out, err = await _or_killed(process, process.communicate())
    return process.returncode or 0, out.decode(), err.decode()


async def _or_killed(process: Process, awaited: Coroutine[Any, Any, T]) -> T:
    """Nothing is left behind of a program that does not do what is waited for."""
    try:
        return await asyncio.wait_for(awaited, 50)
    except BaseException:
        process.kill()
        await process.wait()
        raise
