import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from schemas import problems
from schemas.generate import MESSAGES
from tests.contracts.catalogue import EXAMPLES_DIRECTORY, committed, invalid_examples, read, valid_examples

VALID = list(valid_examples())
INVALID = list(invalid_examples())
FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


def _name(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


@pytest.mark.parametrize(("name", "path"), VALID, ids=_name)
def test_valid_example_is_taken_by_models_and_json_schema(name: str, path: Path) -> None:
    """A golden message is valid for the models and for the committed JSON Schema."""
    value = read(path)
    MESSAGES[name].model_validate(value)
    jsonschema.Draft202012Validator(committed(name), format_checker=FORMATS).validate(value)


@pytest.mark.parametrize(("name", "path"), VALID, ids=_name)
def test_valid_example_keeps_exactly_the_members_that_were_sent(name: str, path: Path) -> None:
    """Validation adds no member and drops none: absent and null stay apart."""
    value = read(path)
    dumped = MESSAGES[name].model_validate(value).model_dump(exclude_unset=True)
    assert _shape(dumped) == _shape(value)


@pytest.mark.parametrize(("name", "path"), VALID, ids=_name)
def test_valid_example_reads_the_same_after_a_round_trip(name: str, path: Path) -> None:
    """What a model writes as JSON is read back as the same values."""
    first = MESSAGES[name].model_validate(read(path))
    again = MESSAGES[name].model_validate(json.loads(first.model_dump_json(exclude_unset=True)))
    assert again == first


@pytest.mark.parametrize(("name", "path"), INVALID, ids=_name)
def test_invalid_example_is_refused_with_its_pointers(name: str, path: Path) -> None:
    """A wrong message is refused with the pointers of all its errors and the detail that names their kind."""
    example = read(path)
    with pytest.raises(ValidationError) as caught:
        MESSAGES[name].model_validate(example["value"])
    detail, found = problems(caught.value, name)
    assert sorted(place for place, _ in found) == sorted(example["pointers"])
    assert detail == example["detail"]
    assert all(text for _, text in found)


@pytest.mark.parametrize(("name", "path"), INVALID, ids=_name)
def test_json_schema_refuses_an_invalid_example_where_it_can(name: str, path: Path) -> None:
    """JSON Schema gives the same answer, except where the example says that it cannot."""
    example = read(path)
    validator = jsonschema.Draft202012Validator(committed(name))
    assert validator.is_valid(example["value"]) is example.get("beyond_json_schema", False)


@pytest.mark.parametrize("name", MESSAGES)
def test_every_type_has_examples_of_both_kinds(name: str) -> None:
    """Each message type shows at least two valid messages and two wrong ones."""
    assert sum(example == name for example, _ in VALID) >= 2
    assert sum(example == name for example, _ in INVALID) >= 2


def test_no_file_of_the_examples_is_left_unchecked() -> None:
    """Every file under the examples belongs to a message type and is checked."""
    checked = {path for _, path in VALID + INVALID}
    assert {path for path in EXAMPLES_DIRECTORY.rglob("*") if path.is_file()} == checked


def _shape(value: object) -> object:
    """Reduces a message to its members and nulls; leaves may be written in another way."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return None if value is None else "value"
