"""What is committed of the contract: schemas and examples on disk."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import schemas
from schemas.generate import MESSAGES, file_name

ROOT = Path(schemas.__file__).parent
JSON_DIRECTORY = ROOT / "json"
EXAMPLES_DIRECTORY = ROOT / "examples"


def read(path: Path) -> Any:
    """Reads a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def committed(name: str) -> Any:
    """Reads the committed JSON Schema of a message type."""
    return read(JSON_DIRECTORY / file_name(name))


def valid_examples() -> Iterator[tuple[str, Path]]:
    """Yields the type and file of every valid example."""
    for name in MESSAGES:
        for path in sorted((EXAMPLES_DIRECTORY / f"{name}.v1").glob("*.json")):
            yield name, path


def invalid_examples() -> Iterator[tuple[str, Path]]:
    """Yields the type and file of every invalid example."""
    for name in MESSAGES:
        for path in sorted((EXAMPLES_DIRECTORY / f"{name}.v1" / "invalid").glob("*.json")):
            yield name, path
