"""The code of released versions, from the history of the tree."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

from tests.support.stack import NotHereError

_ROOT: Final = Path(__file__).resolve().parents[2]
_DATA: Final = "tests/store/data"


def first_release() -> str:
    """The commit that kept the database of 0.1.0; raises NotHereError where the history does not reach back to it."""
    added = ["git", "log", "--diff-filter=A", "--format=%H", "-1", "--", f"{_DATA}/0.1.0.sql"]
    try:
        found = subprocess.run(added, cwd=_ROOT, capture_output=True, check=True, text=True).stdout.strip()
        parent = ["git", "rev-parse", "--verify", "--quiet", f"{found}^"]
        subprocess.run(parent, cwd=_ROOT, capture_output=True, check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        raise NotHereError("there is no history of git beside the tree, or not enough of it") from error
    return found


def unpack(commit: str, folder: Path) -> None:
    """Writes the tree of a commit into a folder."""
    packed = subprocess.run(["git", "archive", commit], cwd=_ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
