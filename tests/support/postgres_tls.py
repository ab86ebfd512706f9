"""PostgreSQL with TLS, which the server in the wheel was built without: Debian's, or whichever is installed here."""

import os
import shutil
from pathlib import Path

from service.embedded import EmbeddedPostgres
from service.embedded.process import LOOPBACK
from tests.support.certificates import Authority
from tests.support.postgres import FAST
from tests.support.stack import NotHereError

REMEDY = "a PostgreSQL with TLS (`apt-get install postgresql`)"
_DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path:
    """The folder of the newest installed server; raises NotHereError."""
    found = [path for path in _DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise NotHereError(f"there is no initdb on the path, nor below {_DEBIAN}")
    return Path(initdb).resolve().parent


def server(directory: Path, authority: Authority) -> EmbeddedPostgres:
    """A server whose certificate is for the loopback address, and not for `localhost`; not started yet."""
    pair = authority.sign("postgres", [LOOPBACK])
    if os.geteuid() == 0:
        # It runs as nobody, and takes no key that others could read.
        shutil.chown(pair.key, "nobody")
    for path in (directory, *directory.parents):
        if path.owner() == directory.owner() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    tls = {"ssl": "on", "ssl_cert_file": str(pair.certificate), "ssl_key_file": str(pair.key)}
    return EmbeddedPostgres(settings={**FAST, **tls}, binaries=binaries())
