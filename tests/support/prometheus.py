"""Prometheus and promtool: those on the path, else those of Debian's package, unpacked once outside the tree."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.support.stack import NotHereError

REMEDY: Final = "prometheus and promtool on the path, or apt-get and dpkg to fetch Debian's package `prometheus` with"
_PACKAGE: Final = "prometheus"
_FETCH_SECONDS: Final = 300


def program(name: str) -> Path:
    """Path of `prometheus` or `promtool`; raises NotHereError where it can't be had."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    home = _cache()
    if not (home / ".complete").exists():
        _unpack(home)
    return home / "usr" / "bin" / name


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bookstream" / "prometheus"


def _unpack(home: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotHereError("prometheus is not on the path, and there is no apt-get with dpkg to fetch it with")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        # Lists of its own: neither does the system have to have any, nor must one be root.
        folder = Path(directory)
        (folder / "lists" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]
        own += ["-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=true"]
        _run(["apt-get", "-qq", *own, "update"], folder)
        _run(["apt-get", "-qq", *own, "download", _PACKAGE], folder)
        (package,) = folder.glob("*.deb")
        _run(["dpkg", "-x", str(package), str(home)], folder)
    (home / ".complete").touch()


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True, timeout=_FETCH_SECONDS)
    except subprocess.CalledProcessError as error:
        raise NotHereError(f"{' '.join(command[:1])} could not fetch it: {error.stderr.strip()[-300:]}") from error
    except subprocess.TimeoutExpired as error:
        raise NotHereError(f"{command[0]} did not fetch it in time") from error
