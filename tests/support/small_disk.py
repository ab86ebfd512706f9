"""A PostgreSQL whose write-ahead log lies on a disk that is small enough to be filled."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.embedded import EmbeddedPostgres
from tests.support.stack import NotHereError

REMEDY: Final = "the rights to mount a tmpfs, for a disk that fills up"
_SIZE: Final = "160m"
_SETTINGS: Final = {"min_wal_size": "32MB", "max_wal_size": "64MB"}
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A server and the disk of its log."""

    postgres: EmbeddedPostgres
    path: Path

    def fill(self) -> None:
        """Leaves no byte free."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (_CHUNK, 4096):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def clear(self) -> None:
        """Gives back what was filled."""
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self.path / "filler"


def require_mount() -> None:
    """Raises NotHereError where this process may not mount."""
    with tempfile.TemporaryDirectory() as directory:
        _mount(Path(directory))
        _unmount(Path(directory))


@contextmanager
def small_disk(settings: Mapping[str, str]) -> Iterator[SmallDisk]:
    """A server that has not been started yet, with its log on a disk of its own."""
    home = Path(tempfile.mkdtemp(prefix="bookstream-disk-", dir="/tmp"))
    home.chmod(0o711)
    data, disk = home / "data", home / "disk"
    disk.mkdir()
    _mount(disk)
    postgres = EmbeddedPostgres(data, {**settings, **_SETTINGS})
    try:
        postgres.start()
        postgres.stop()
        log, owner = data / "pg_wal", (data / "PG_VERSION").stat()
        shutil.move(log, disk / "log")
        log.symlink_to(disk / "log")
        for path in (disk, disk / "log", *(disk / "log").rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        yield SmallDisk(postgres, disk)
    finally:
        postgres.close()
        _unmount(disk)
        shutil.rmtree(home, ignore_errors=True)


def _mount(path: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(path)]
    if shutil.which("mount") is None:
        raise NotHereError("there is no mount command")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotHereError(f"no tmpfs can be mounted: {done.stderr.strip()[-200:]}")


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=True)
