"""Checks against the schemas of Kubernetes, and against those of the operators."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
from jsonschema import Draft202012Validator

from tests.deploy.rendered import Check, Object, Rendered, called

# The oldest that knows the pause of a preStop by default, and the newest that there are schemas of.
VERSIONS: Final = ("1.30", "1.37")
_OPERATORS: Final = frozenset(
    {"kafka.strimzi.io", "keda.sh", "postgresql.cnpg.io", "barmancloud.cnpg.io", "monitoring.coreos.com"}
)


def is_custom(thing: Object) -> bool:
    """Whether an operator defines the object's kind."""
    return thing["apiVersion"].partition("/")[0] in _OPERATORS


def core(rendered: Rendered) -> list[str]:
    """Kubernetes' own kinds are valid, without unknown fields; any other kind must be an operator's."""
    problems = []
    for thing in (each for each in rendered.objects if not is_custom(each)):
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(thing, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                path = "/".join(str(step) for step in error.path)
                problems.append(f"{called(thing)}, Kubernetes {version}: {path}: {error.message}")
            except kubernetes_validate.SchemaNotFoundError as error:
                problems.append(f"{called(thing)}: {error.message}")
    return problems


def custom(directory: Path) -> Check:
    """Makes the check that the operators' kinds are valid, without unknown fields."""

    def check(rendered: Rendered) -> list[str]:
        return [
            f"{called(thing)}: {problem}"
            for thing in rendered.objects
            if is_custom(thing)
            for problem in _problems(thing, directory)
        ]

    return check


def _problems(thing: Object, directory: Path) -> Iterator[str]:
    group, _, version = thing["apiVersion"].partition("/")
    path = directory / group / f"{thing['kind'].lower()}_{version}.json"
    if not path.is_file():
        yield f"no schema for {thing['apiVersion']}"
        return
    schema = closed(json.loads(path.read_text(encoding="utf-8")))
    # Every object has these two; of custom kinds the schemas of some operators do not mention them.
    schema["properties"] |= {name: schema["properties"].get(name, {}) for name in ("apiVersion", "kind")}
    for error in Draft202012Validator(schema).iter_errors(thing):
        yield f"{'/'.join(str(step) for step in error.path)}: {error.message}"


def closed(schema: Any) -> Any:
    """A schema that refuses what it does not name, except where it says that it keeps unknown fields."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: closed(each) for name, each in schema.items()}
    open_on_purpose = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and not open_on_purpose and "type" in schema:
        result["additionalProperties"] = False
    return result
