"""Prometheus and promtool: those on the path, else those of Debian's package, unpacked once outside the tree."""

import shutil
from pathlib import Path
from typing import Final

from tests.support.debian import unpacked
from tests.support.stack import NotHereError

REMEDY: Final = "prometheus and promtool on the path, or apt-get and dpkg to fetch Debian's package `prometheus` with"
_PACKAGE: Final = "prometheus"


def program(name: str) -> Path:
    """Path of `prometheus` or `promtool`; raises NotHereError where it can't be had."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    try:
        return unpacked(_PACKAGE) / "usr" / "bin" / name
    except NotHereError as reason:
        raise NotHereError(f"prometheus is not on the path, and {reason}") from reason
