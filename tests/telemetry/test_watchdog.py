"""Processes that are really stuck, each a program of its own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from service.embedded.process import LOOPBACK, free_port

ROOT = Path(__file__).resolve().parents[2]
WATCHED = """
import asyncio, os, time
from service.telemetry.watchdog import Watchdog

def hang_for_ever():
    print("hangs", flush=True)
    time.sleep(600)

async def main(judge, then):
    async with Watchdog(asyncio.get_running_loop(), judge, stuck_seconds=2, tick_seconds=0.1):
        await asyncio.sleep(0.3)
        print("runs", flush=True)
        await then()
    print("ended well", flush=True)
"""
BLOCKED = "async def then(): hang_for_ever()\nasyncio.run(main(list, then))"
JUDGED = "async def then(): await asyncio.sleep(600)\nasyncio.run(main(lambda: ['the relay has ended'], then))"
FROZEN = (
    "async def then(): await asyncio.get_running_loop().run_in_executor(None, input)\nasyncio.run(main(list, then))"
)
SERVICE = """
import asyncio, time
import service.app as app
from service.cli.run import _work
from service.crew import Crew
from service.settings import load_settings

def hang_for_ever():
    time.sleep(600)

async def main():
    app.STUCK_SECONDS = 2
    running = asyncio.create_task(_work(load_settings(), frozenset({"clock"}), Crew()))
    await asyncio.sleep(3)
    assert not running.done()
    hang_for_ever()

asyncio.run(main())
"""


async def start(program: str, **more: str) -> Process:
    """Runs a program of Python."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOOKSTREAM_")}
    environment = {**inherited, "PYTHONPATH": str(ROOT), **more}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
    )


async def test_a_blocked_event_loop_ends_the_process() -> None:
    """The process ends by itself with code 1, and says before which line of code it hangs in."""
    process = await start(WATCHED + BLOCKED)
    out, err = await process.communicate()
    assert process.returncode == 1
    assert out.split() == [b"runs", b"hangs"]
    assert b"the event loop has not answered for 2 s" in err
    assert b"in hang_for_ever" in err


async def test_a_loop_that_is_judged_stuck_ends_the_process() -> None:
    """What liveness complains about for five rounds ends the process too, with the complaint."""
    process = await start(WATCHED + JUDGED)
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"stuck, the process ends: the relay has ended" in err


async def test_a_process_that_was_frozen_lives_on() -> None:
    """Stopped for longer than a loop may take, and woken up, a process is not stuck."""
    process = await start(WATCHED + FROZEN)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"runs\n"
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(3)
    process.send_signal(signal.SIGCONT)
    out, err = await process.communicate(b"\n")
    assert (out, err) == (b"ended well\n", b"")
    assert process.returncode == 0


async def test_the_service_is_watched_from_its_start() -> None:
    """The service itself ends when its loop is blocked, even while it still waits for PostgreSQL."""
    process = await start(
        SERVICE,
        BOOKSTREAM_DATABASE_URL=f"postgresql://nobody@{LOOPBACK}:{free_port()}/none",
        BOOKSTREAM_HTTP_ADDRESS=f"{LOOPBACK}:{free_port()}",
        BOOKSTREAM_SIGNING="off",
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"the event loop has not answered for 2 s" in err
    assert b"in hang_for_ever" in err
