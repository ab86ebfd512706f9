"""The image can't be built without Docker; what can be checked is its recipe, its lock and the wheel that goes in."""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

from service.store.migrate import shipped

_PIN = re.compile(r"^([a-z0-9.-]+)(?:\[[a-z0-9,]+\])?==(\S+)")
_BIN = Path(sys.executable).parent


@pytest.fixture(scope="session")
def wheel(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=project_root)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment with the wheel in it; its dependencies are those of the running Python."""
    root = tmp_path_factory.mktemp("image")
    venv.create(root, with_pip=False)
    _run(str(_BIN / "uv"), "pip", "install", "--offline", "--no-deps", "--python", str(root / "bin/python"), str(wheel))
    (packages,) = (root / "lib").glob("python*/site-packages")
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "dependencies.pth").write_text(f"{ours}\n", encoding="utf-8")
    return root / "bin"


def _run(*command: str, cwd: Path | None = None) -> str:
    run = subprocess.run(command, cwd=cwd, capture_output=True, check=False, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def _pins(path: Path) -> dict[str, str]:
    """Version and hashes of each package in a lock."""
    blocks = re.split(r"\n(?=[a-z])", path.read_text(encoding="utf-8"))
    pinned = {}
    for block in blocks:
        if match := _PIN.match(block):
            pinned[match[1]] = " ".join([match[2], *sorted(re.findall(r"sha256:[0-9a-f]{64}", block))])
    return pinned


@pytest.mark.timeout(120)
def test_the_wheel_runs(installed: Path, tmp_path: Path) -> None:
    """The command that the image starts is there, from the wheel and not from the tree."""
    assert "Usage: bookstream" in _run(str(installed / "bookstream"), "--help", cwd=tmp_path)
    where = _run(str(installed / "python"), "-c", "import service; print(service.__file__)", cwd=tmp_path)
    assert Path(where).is_relative_to(installed.parent)


@pytest.mark.timeout(120)
def test_the_wheel_has_its_files(installed: Path, tmp_path: Path) -> None:
    """Migrations and state graphs travel along."""
    told = _run(
        str(installed / "python"),
        "-c",
        "from service.store.migrate import shipped; print(*(each.name for each in shipped()))",
        cwd=tmp_path,
    )
    assert told.split() == [each.name for each in shipped()]
    assert _run(str(installed / "bookstream"), "graph", cwd=tmp_path)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("command", ["run", "migrate", "topics"])
def test_the_commands_of_the_pods_are_there(installed: Path, tmp_path: Path, command: str) -> None:
    """What the workloads start can be loaded."""
    assert f"bookstream {command}" in _run(str(installed / "bookstream"), command, "--help", cwd=tmp_path)


def test_the_lock_of_the_image_is_part_of_the_other(project_root: Path) -> None:
    """The image gets the versions, with the hashes, that the tests run with."""
    whole, part = _pins(project_root / "requirements.lock"), _pins(project_root / "deploy" / "requirements.lock")
    assert part
    assert {name: whole.get(name) for name in part} == part


def test_the_lock_of_the_image_holds_the_dependencies(project_root: Path) -> None:
    """Each dependency of the project is in it, and no tool of its developers."""
    project = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {re.split(r"[\[<>=]", each)[0] for each in project["project"]["dependencies"]}
    tools = {re.split(r"[\[<>=]", each)[0] for each in project["dependency-groups"]["dev"]}
    pinned = set(_pins(project_root / "deploy" / "requirements.lock"))
    assert needed <= pinned
    assert not tools & pinned


def test_the_dockerfile_is_clean(deploy: Path) -> None:
    """The linter has nothing to say."""
    assert _run(str(_BIN / "hadolint"), str(deploy / "Dockerfile")) == ""


def test_the_linter_finds_mistakes(deploy: Path, tmp_path: Path) -> None:
    """An unpinned image is told."""
    text = (deploy / "Dockerfile").read_text(encoding="utf-8")
    broken = tmp_path / "Dockerfile"
    broken.write_text(text.replace("FROM ${PYTHON_IMAGE}\n", "FROM python:latest\n"), encoding="utf-8")
    run = subprocess.run([_BIN / "hadolint", broken], capture_output=True, check=False, text=True)
    assert run.returncode != 0
    assert "DL3007" in run.stdout


def test_image_and_pods_have_the_same_user(deploy: Path) -> None:
    """A file of the image that only its user may read is readable in the pod."""
    (user,) = re.findall(r"^USER (\d+):(\d+)$", (deploy / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    pod = yaml.safe_load((deploy / "base/pod/pod.yaml").read_text(encoding="utf-8"))
    context = pod["spec"]["template"]["spec"]["securityContext"]
    assert user == (str(context["runAsUser"]), str(context["runAsGroup"]))


def test_what_the_image_copies_reaches_the_builder(deploy: Path) -> None:
    """The list of what is sent to the builder names every file that is copied from the tree, and nothing else."""
    recipe = (deploy / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(\S+) ", recipe, re.MULTILINE)
    sent = (deploy / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert sent == ["*", *(f"!{path}" for path in copied)]
