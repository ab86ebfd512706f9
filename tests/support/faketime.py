"""A wall clock of a process's own, which jumps when a file says so; its monotonic clock goes on as it was."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.debian import unpacked
from tests.support.stack import NotHereError

REMEDY: Final = "apt-get and dpkg to fetch Debian's package `libfaketime` with, for jumps of the clock"
_PACKAGE: Final = "libfaketime"


def library() -> Path:
    """The library to preload; raises NotHereError where it can't be had."""
    found = sorted(unpacked(_PACKAGE).glob("usr/lib/*/faketime/libfaketime.so.1"))
    if not found:
        raise NotHereError(f"Debian's package {_PACKAGE} has no library for this machine")
    return found[0]


def environment(preloaded: Path, clock: Path) -> Mapping[str, str]:
    """What a process with the clock of this file is started with."""
    set_clock(clock, 0)
    return {
        "LD_PRELOAD": str(preloaded),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def set_clock(clock: Path, seconds: int) -> None:
    """Lets the wall clock be so many seconds ahead; processes notice within a second."""
    clock.write_text(f"{seconds:+d}\n", encoding="ascii")
