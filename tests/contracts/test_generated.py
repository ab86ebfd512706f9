import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from schemas.generate import MESSAGES, generate, write
from schemas.headers import dataschema
from tests.contracts.catalogue import JSON_DIRECTORY, ROOT, committed

RELEASED = ROOT / "released" / "0.1.0"
LATER = {"booking-snapshot.v1.schema.json", "erase-person.v1.schema.json", "visit-snapshot.v1.schema.json"}
SANCTIONED = {"pydantic", "pydantic_core", "typing_extensions", "annotated_types", "typing_inspection", "schemas"}


def _files(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}


def test_committed_schemas_are_those_of_the_models() -> None:
    """A model that changed without its JSON Schema fails, and so does a file that no model has."""
    assert _files(JSON_DIRECTORY) == generate()


def test_the_release_is_kept() -> None:
    """The released schemas cover every message type that the release had, all still there, and are not empty."""
    assert set(_files(RELEASED)) == set(generate()) - LATER
    assert set(generate()) > LATER
    assert all(_files(RELEASED).values())


def test_write_makes_the_directory(tmp_path: Path) -> None:
    """Schemas are written into a directory that was not there."""
    target = tmp_path / "a" / "b"
    assert sorted(path.name for path in write(target)) == sorted(generate())
    assert _files(target) == generate()


@pytest.mark.parametrize("name", MESSAGES)
def test_schema_is_valid_named_and_closed(name: str) -> None:
    """A JSON Schema is well-formed, carries its URI, and closes every object that has named members."""
    schema = committed(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == dataschema(name)
    assert schema["additionalProperties"] is False
    for part in schema.get("$defs", {}).values():
        assert part.get("additionalProperties") is False


def test_the_contract_needs_nothing_but_pydantic() -> None:
    """Importing the contract loads the standard library and pydantic alone."""
    script = (
        "import sys; before = set(sys.modules); import schemas, schemas.generate, schemas.headers; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT.parent, capture_output=True, text=True, check=True, timeout=30
    )
    loaded = {name for name in run.stdout.split() if name not in sys.stdlib_module_names}
    private = {name for name in loaded if name.startswith("_")}
    assert loaded - private <= SANCTIONED
    assert not loaded & {"faststream", "aiokafka", "asyncpg", "orjson", "service"}
