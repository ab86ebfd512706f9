"""The command itself: starts everything, plays the story, tells how it went, and stays until it is told to end."""

import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from service.cli.connect import producing
from service.cli.demo import check, tell
from service.cli.demo.play import Played, Player
from service.cli.demo.screen import Screen, choose_screen
from service.cli.demo.stack import Stack, log_file, servers, service, wait_until
from service.cli.demo.story import load_story, story_path
from service.cli.follow import Follower

READABLE_SECONDS: Final = 0.02
DRAIN_SECONDS: Final = 10.0


@dataclass(slots=True)
class Run:
    """How it went so far."""

    held: bool = False
    log: Path | None = None


@click.command("demo")
@click.option("--once", is_flag=True, help="End when the story is over, on a terminal too.")
def demo(once: bool) -> None:
    """Start everything on this machine and play a day of three businesses through it.

    PostgreSQL and a Kafka-compatible broker come from Python wheels and live in temporary directories; nothing else is
    touched. On a terminal everything stays up until Ctrl-C, for `bookstream send` and `bookstream tail` to try.
    Elsewhere it ends by itself: exit code 0 when everything happened as the story expects, 1 when not.
    """
    terminal = sys.stdout.isatty()
    screen, run = choose_screen(terminal=terminal), Run()
    try:
        asyncio.run(_demo(screen, run, stay=terminal and not once, pause=READABLE_SECONDS if terminal else 0.0))
    except (KeyboardInterrupt, asyncio.CancelledError):
        screen.say("ended")
    finally:
        _leave_log(screen, run)
    if not run.held:
        sys.exit(1)


def _leave_log(screen: Screen, run: Run) -> None:
    """Keep the log where it can tell why something went wrong."""
    if run.log is None:
        return
    if run.held or run.log.stat().st_size == 0:
        run.log.unlink()
    else:
        screen.problem(f"the log is in {run.log}")


async def _demo(screen: Screen, run: Run, *, stay: bool, pause: float) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    began = time.monotonic()
    async with log_file() as run.log:
        screen.say("starting PostgreSQL and a Kafka-compatible broker ...")
        async with servers() as stack:
            screen.say(
                f"PostgreSQL at {stack.database_url}, Kafka at {stack.target.bootstrap}; starting the service ..."
            )
            async with service(stack):
                screen.say(
                    f"ready after {time.monotonic() - began:.1f} s (this broker keeps its records in memory and has no "
                    "idempotent producers, so BOOKSTREAM_KAFKA_IDEMPOTENCE is off here; nothing is signed either)"
                )
                played = await _play(screen, stack, pause)
                run.held = _conclude(screen, check.report(played), time.monotonic() - began)
                if stay:
                    screen.steps("What to try next, in another terminal:", tell.next_steps(stack))
                    screen.say("\neverything runs on; Ctrl-C ends it")
                    await asyncio.Event().wait()


async def _play(screen: Screen, stack: Stack, pause: float) -> Played:
    async with producing(stack.target) as producer, Follower(stack.target) as follower:
        player = Player(producer, follower, stack.target.prefix)
        for chapter in load_story(story_path()):
            screen.chapter(chapter.title)
            for sent in await player.play(chapter):
                screen.lines(tell.lines_of(sent, player.played))
                await asyncio.sleep(pause)
        await wait_until(stack.published, DRAIN_SECONDS)
        await player.read_to_end()
        return player.played


def _conclude(screen: Screen, told: check.Report, seconds: float) -> bool:
    """Show the figures and tell whether the story was kept to."""
    screen.table(f"The day in figures ({seconds:.1f} s)", tell.summary(told))
    for problem in told.problems:
        screen.problem(f"not as expected: {problem}")
    return not told.problems
