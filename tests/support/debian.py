"""Debian packages, unpacked once outside the tree; nothing is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.support.stack import NotHereError

_FETCH_SECONDS: Final = 300


def unpacked(package: str) -> Path:
    """Folder with the files of a package as they would lie under `/`; raises NotHereError where it can't be had."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bookstream" / package
    if not (home / ".complete").exists():
        _unpack(package, home)
    return home


def _unpack(package: str, home: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotHereError(f"there is no apt-get with dpkg to fetch Debian's package {package} with")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        # Lists of its own: neither does the system have to have any, nor must one be root.
        folder = Path(directory)
        (folder / "lists" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]
        own += ["-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=true"]
        _run(["apt-get", "-qq", *own, "update"], folder)
        _run(["apt-get", "-qq", *own, "download", package], folder)
        (archive,) = folder.glob("*.deb")
        _run(["dpkg", "-x", str(archive), str(home)], folder)
    (home / ".complete").touch()


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True, timeout=_FETCH_SECONDS)
    except subprocess.CalledProcessError as error:
        raise NotHereError(f"{command[0]} could not fetch it: {error.stderr.strip()[-300:]}") from error
    except subprocess.TimeoutExpired as error:
        raise NotHereError(f"{command[0]} did not fetch it in time") from error
