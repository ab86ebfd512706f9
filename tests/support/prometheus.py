"""Prometheus and promtool: those on the path, else those of Debian's package, unpacked once outside the tree."""

import shutil
from pathlib import Path
from typing import Final

from tests.support.debian import unpacked

REMEDY: Final = "prometheus and promtool on the path, or apt-get and dpkg to fetch Debian's package `prometheus` with"
_PACKAGE: Final = "prometheus"


def program(name: str) -> Path:
    """Path of `prometheus` or `promtool`; raises NotHereError where it can't be had."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    return unpacked(_PACKAGE) / "usr" / "bin" / name
