"""JSON Schemas (draft 2020-12) out of the wire models."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from schemas import headers as names
from schemas.commands import COMMANDS
from schemas.message import EVENTS
from schemas.results import CommandAccepted, CommandRefused

MESSAGES: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {**COMMANDS, **EVENTS, names.COMMAND_REFUSED: CommandRefused, names.COMMAND_ACCEPTED: CommandAccepted}
)


class _Generator(GenerateJsonSchema):
    """Leaves out the titles of members, which only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def schema_of(name: str) -> dict[str, Any]:
    """Returns the JSON Schema of a message type, every object of it closed."""
    body = MESSAGES[name].model_json_schema(schema_generator=_Generator)
    _close(body)
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": names.dataschema(name), **body}


def _close(node: Any) -> None:
    """Closes objects with named or patterned members; readers ignore the unknown, but the service writes none."""
    if isinstance(node, dict):
        if node.get("type") == "object" and ("properties" in node or "patternProperties" in node):
            node.setdefault("additionalProperties", False)
        for child in node.values():
            _close(child)
    elif isinstance(node, list):
        for child in node:
            _close(child)


def file_name(name: str) -> str:
    """Returns the file name of a message type's JSON Schema."""
    return f"{name}.v{names.SCHEMA_VERSION}.schema.json"


def generate() -> dict[str, str]:
    """Returns the text of every JSON Schema by its file name."""
    return {file_name(name): json.dumps(schema_of(name), indent=2) + "\n" for name in MESSAGES}


def write(directory: Path) -> list[Path]:
    """Writes every JSON Schema into a directory, which is made where it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in generate().items():
        path = directory / name
        path.write_text(content, encoding="utf-8")
        paths.append(path)
    return paths
