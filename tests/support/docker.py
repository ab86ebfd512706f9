"""A server in Docker, on a port of the loopback interface."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from service.embedded.process import free_port, wait_until
from tests.support.stack import NotHereError

_ANSWER_SECONDS = 5
_START_SECONDS = 50.0


def require(image: str) -> None:
    """Make sure that a Docker daemon answers and has the image, which is pulled where it has not."""
    if shutil.which("docker") is None:
        raise NotHereError("there is no docker command")
    if not _succeeds("info"):
        raise NotHereError("the Docker daemon does not answer")
    if not _succeeds("image", "inspect", image):
        pulled = subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, check=False, text=True)
        if pulled.returncode != 0:
            raise NotHereError(f"docker pull {image} failed: {pulled.stderr.strip()}")


@contextmanager
def running(
    image: str, container_port: int, environment: Callable[[int], Mapping[str, str]], answers: Callable[[int], bool]
) -> Iterator[int]:
    """Run `image` and yield the port of this machine that leads to `container_port`, once `answers(port)` holds."""
    # Imported here since most machines go another way.
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    port = free_port()
    container = DockerContainer(image).with_bind_ports(container_port, port)
    for name, value in environment(port).items():
        container.with_env(name, value)
    with container:
        if not wait_until(lambda: answers(port), _START_SECONDS):
            raise TimeoutError(f"{image} did not answer on port {port}")
        yield port


def _succeeds(*words: str) -> bool:
    try:
        subprocess.run(["docker", *words], capture_output=True, check=True, timeout=_ANSWER_SECONDS)
    except (subprocess.SubprocessError, OSError):
        return False
    return True
