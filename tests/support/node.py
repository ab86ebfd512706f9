"""Node.js and the packages that a check in JavaScript needs, installed once outside the tree."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.support.stack import NotHereError

CACHE = Path.home() / ".cache" / "bookstream" / "node"
INSTALL_SECONDS = 300


def node() -> str:
    """Path of Node.js; raises NotHereError where it or npm is missing."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        raise NotHereError("Node.js with npm is not on the path")
    return found


def installed(package: Path) -> Path:
    """Folder with the node_modules of a package.json and its lock; raises NotHereError when they can't be had."""
    node()
    lock = (package / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    done = folder / ".complete"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(package / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if run.returncode != 0:
            raise NotHereError(f"npm ci failed: {run.stderr.strip()[-300:]}")
        done.touch()
    return folder
