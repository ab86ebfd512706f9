"""A process that starts a server and is killed."""

import asyncio
import os
import sys
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]
_PROGRAM = """
import time
from service.embedded import {server}
with {server}() as server:
    print(server.{address}, flush=True)
    time.sleep(600)
"""


async def orphaned(server: str, address: str, temporary: Path) -> str:
    """Start a server in a process of its own, kill that process, and return the server's address."""
    program = _PROGRAM.format(server=server, address=address)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        cwd=_PROJECT,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert child.stdout is not None
    line = await child.stdout.readline()
    child.kill()
    await child.wait()
    return line.decode().strip()
