"""The AsyncAPI document: committed as generated, whole, and its references lead somewhere."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.asyncapi import MESSAGES_OF, RECEIVED, SENT, asyncapi, asyncapi_text
from schemas.generate import MESSAGES
from schemas.headers import TOPICS
from tests.contracts.catalogue import ROOT
from tests.support.node import installed, node


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return here + [ref for item in node.values() for ref in _references(item)]
    return [ref for item in node for ref in _references(item)] if isinstance(node, list) else []


def _resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_committed_document_is_that_of_the_models() -> None:
    """A model or topic that changed without the document fails."""
    assert (ROOT / "asyncapi.json").read_text(encoding="utf-8") == asyncapi_text()


def test_every_reference_leads_somewhere() -> None:
    """No reference is left over from a schema that was moved."""
    document = asyncapi()
    references = _references(document)
    assert len(references) > 50
    for reference in references:
        assert _resolve(document, reference)


def test_every_topic_and_message_is_in_it() -> None:
    """The document knows all topics and all message types, and who sends or receives them."""
    document = asyncapi()
    assert set(document["channels"]) == {topic.name for topic in TOPICS} == set(MESSAGES_OF)
    assert set(MESSAGES) <= set(document["components"]["messages"])
    assert len(document["operations"]) == len(RECEIVED) + len(SENT)
    for topic in RECEIVED:
        assert document["operations"][f"receive-{topic}"]["reply"]["channel"]["$ref"].endswith("command-results")


def test_headers_of_a_command_are_what_a_sender_must_set() -> None:
    """The header schema takes the least that makes a command, and refuses another type."""
    schema = asyncapi()["components"]["messages"]["update-booking"]["headers"]
    least = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "//pos.example", "ce_type": "update-booking"}
    jsonschema.validate(least, schema)
    for name in least:
        wrong = {key: value for key, value in least.items() if key != name}
        assert list(jsonschema.Draft7Validator(schema).iter_errors(wrong))


def _parse(document: Path) -> subprocess.CompletedProcess[str]:
    package = Path(__file__).parent / "asyncapi"
    command = [node(), str(package / "check.js"), str(document), str(installed(package))]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.node
@pytest.mark.timeout(400)
def test_the_official_parser_takes_the_document() -> None:
    """AsyncAPI's own parser finds nothing wrong."""
    run = _parse(ROOT / "asyncapi.json")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.node
@pytest.mark.timeout(400)
def test_the_official_parser_can_refuse(tmp_path: Path) -> None:
    """A document that names a channel which isn't there is refused, so the check above can fail."""
    document = asyncapi()
    document["operations"]["send-booking-events"]["channel"]["$ref"] = "#/channels/nowhere"
    broken = tmp_path / "asyncapi.json"
    broken.write_text(json.dumps(document), encoding="utf-8")
    assert _parse(broken).returncode == 1
