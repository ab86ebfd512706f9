"""The AsyncAPI document: committed as generated, whole, and its references lead somewhere."""

from typing import Any

import jsonschema

from schemas.asyncapi import MESSAGES_OF, RECEIVED, SENT, asyncapi, asyncapi_text
from schemas.generate import MESSAGES
from schemas.headers import TOPICS
from tests.contracts.catalogue import ROOT


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
