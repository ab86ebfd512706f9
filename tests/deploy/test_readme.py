"""What the operator's page says is there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from service.cli.main import COMMANDS
from tests.deploy.rendered import ENVIRONMENTS, Rendered, kustomize

_ROW = re.compile(r"^\| (\w+) \| `([a-z-]+)` \| ([a-z, ]+) \|", re.MULTILINE)
_HASH = re.compile(r"(bookstream-settings)-\w+$")


@pytest.fixture(scope="session")
def readme(deploy: Path) -> str:
    """The page."""
    return (deploy / "README.md").read_text(encoding="utf-8")


def _commands(readme: str) -> list[str]:
    return [line.strip() for line in readme.splitlines() if line.startswith("    ")]


def test_every_object_is_in_the_table(environment: Callable[[str], Rendered], readme: str) -> None:
    """The table lists what is rendered, by environment, and nothing else."""
    told = {
        (kind, name, each)
        for kind, name, where in _ROW.findall(readme)
        for each in (ENVIRONMENTS if where == "all" else where.split(", "))
    }
    found = {
        (each["kind"], _HASH.sub(r"\1", each["metadata"]["name"]), name)
        for name in ENVIRONMENTS
        for each in environment(name).objects
    }
    assert told == found


def test_commands_name_what_exists(environment: Callable[[str], Rendered], deploy: Path, readme: str) -> None:
    """Folders render, and objects that are waited for or deleted are ours."""
    commands = _commands(readme)
    folders = {match for line in commands for match in re.findall(r"apply -k (\S+)", line)}
    assert all(kustomize(deploy.parent / folder) for folder in folders)
    assert {Path(folder).name for folder in folders} == {"network", "kafka", "postgres", "jobs", "app"}
    present = {(each["kind"].lower(), each["metadata"]["name"]) for each in environment("production").objects}
    named = {
        (kind.partition(".")[0], name)
        for line in commands
        if line.startswith("kubectl")
        for kind, name in re.findall(r"([a-z.]+)/(bookstream[a-z-]*)(?= )", line)
        if "overlays" not in kind
    }
    assert named
    assert named <= present


def test_commands_of_the_image_exist(deploy: Path, readme: str) -> None:
    """The target of make and the recipe that the page names are there, and so are commands of bookstream."""
    assert "make wheel" in _commands(readme)
    assert "\nwheel:" in (deploy.parent / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"`bookstream ([a-z-]+)", readme)) <= set(COMMANDS)


def test_no_file_is_forgotten(deploy: Path) -> None:
    """Each file of base and components stands in the kustomization beside or above it."""
    listed = set()
    for path in deploy.rglob("kustomization.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        patches = [each["path"] for each in content.get("patches", ()) if "path" in each]
        envs = [name for each in content.get("configMapGenerator", ()) for name in each.get("envs", ())]
        names = [*content.get("resources", ()), *content.get("components", ()), *patches, *envs]
        listed |= {(path.parent / name).resolve() for name in names}
    files = {
        path for path in deploy.rglob("*") if path.suffix in {".yaml", ".env"} and path.name != "kustomization.yaml"
    }
    assert files - listed == set()
