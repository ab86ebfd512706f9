"""Each rule about who may import whom holds on the tree, and is reported on a copy that breaks it."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_CODE = ("service", "schemas")
_PARTS_OF_PYDANTIC = {"annotated_types", "pydantic_core", "typing_extensions"}


@pytest.fixture
def copy(project_root: Path, tmp_path: Path) -> Path:
    """Return a copy of the code that may be broken."""
    for name in _CODE:
        shutil.copytree(project_root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project_root / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_tree_keeps_its_contracts(project_root: Path) -> None:
    """The code as it stands breaks no contract."""
    kept, report = _lint_imports(project_root)
    assert kept, report


@pytest.mark.parametrize(
    ("contract", "module", "broken"),
    [
        ("layers", "service/domain/world.py", "import service.store"),
        ("layers", "service/outbox/__init__.py", "import service.decode"),
        ("layers", "service/errors.py", "import service.cli"),
        ("domain", "service/domain/world.py", "import pydantic"),
        ("domain", "service/domain/world.py", "import asyncpg"),
        ("domain", "service/domain/world.py", "import time"),
        ("domain", "service/domain/world.py", "import schemas"),
        ("schemas", "schemas/headers.py", "import service.errors"),
        ("schemas", "schemas/headers.py", "import orjson"),
    ],
)
def test_a_forbidden_import_is_reported(copy: Path, contract: str, module: str, broken: str) -> None:
    """One import in the wrong direction breaks the contract that forbids it."""
    with (copy / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{broken}\n")
    importer = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    kept, report = _lint_imports(copy, contract)
    assert not kept
    assert f"{importer} -> {broken.removeprefix('import ')}" in report


def test_a_package_outside_the_layers_is_reported(copy: Path) -> None:
    """A new package of the service has to be given its layer."""
    (copy / "service" / "stray.py").touch()
    kept, report = _lint_imports(copy, "layers")
    assert not kept
    assert "service.stray" in report


def test_the_domain_imports_only_the_standard_library(project_root: Path) -> None:
    """A library that nobody thought of forbidding is kept out of the domain too."""
    foreign = set(_imports(project_root / "service" / "domain")) - sys.stdlib_module_names - {"service"}
    assert foreign == set()


def test_the_schemas_need_only_pydantic(project_root: Path) -> None:
    """The contract can be used by others with pydantic alone."""
    foreign = set(_imports(project_root / "schemas")) - sys.stdlib_module_names
    assert foreign - _PARTS_OF_PYDANTIC <= {"schemas", "pydantic"}


@pytest.mark.parametrize(
    "statement",
    [
        "from datetime import datetime, UTC\nnow = datetime.now(UTC)",
        "from datetime import date\ntoday = date.today()",
        "import datetime\nnow = datetime.datetime.utcnow()",
        "from time import time\nnow = time()",
        "import random\ndice = random.random()",
        "from uuid import uuid4\nnew = uuid4()",
    ],
)
def test_a_clock_or_chance_in_the_domain_is_reported(copy: Path, statement: str) -> None:
    """What ruff forbids in the domain beyond imports."""
    broken = copy / "service" / "domain" / "broken.py"
    broken.write_text(f"{statement}\n", encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", broken.name]
    report = subprocess.run(command, cwd=broken.parent, capture_output=True, check=False, text=True)
    assert report.returncode == 1, report.stderr
    assert "TID251" in report.stdout


def _lint_imports(root: Path, *contracts: str) -> tuple[bool, str]:
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache", *chosen]
    run = subprocess.run(command, cwd=root, capture_output=True, check=False, text=True)
    return run.returncode == 0, run.stdout + run.stderr


def _imports(package: Path) -> Iterator[str]:
    """Yield the top-level name of every import in a package."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    yield from (name.name.partition(".")[0] for name in names)
                case ast.ImportFrom(module=str(module)):
                    yield module.partition(".")[0]
                case _:
                    continue


def test_a_relay_that_stands_alone_loads_no_worker(project_root: Path) -> None:
    """What only workers need is loaded by processes with that role: others wait for a relay that begins anew."""
    code = "import sys, service.app; print(*sorted(sys.modules))"
    asked = [sys.executable, "-c", code]
    loaded = subprocess.run(asked, cwd=project_root, check=True, capture_output=True, text=True).stdout.split()
    assert "service.relay.relay" in loaded
    assert not {"service.handle", "service.decode", "service.consume.consumer", "faststream.kafka"}.intersection(loaded)
