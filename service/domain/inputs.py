"""Checks the inputs of an action against what the graph declares."""

import unicodedata
from typing import Any

from service.domain.graph import Action, Input
from service.domain.model import Fault, Members, Reason, Refused

ID_LENGTH = 64
ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")


def check_inputs(action: Action, given: Members) -> dict[str, Any] | Refused:
    """Gives the inputs as they are kept (null is absent), or a refusal with a pointer for each that is wrong."""
    declared = {item.name: item for item in action.inputs}
    unknown = [
        Fault(f"/inputs/{_escape(name)}", f"{action.name} takes no such input")
        for name in given
        if name not in declared
    ]
    wrong: list[Fault] = []
    kept: dict[str, Any] = {}
    for item in action.inputs:
        value = given.get(item.name)
        if value is None:
            if item.required:
                wrong.append(Fault(f"/inputs/{item.name}", f"{action.name} needs this input"))
            continue
        clean = _clean(item, value)
        if clean is None:
            wrong.append(Fault(f"/inputs/{item.name}", _expected(item)))
        else:
            kept[item.name] = clean
    if unknown or wrong:
        reason = Reason.INVALID_FIELD if wrong else Reason.UNKNOWN_FIELD
        return Refused(reason, (*wrong, *unknown))
    return kept


def _clean(item: Input, value: object) -> str | None:
    if item.kind == "id":
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not 1 <= len(text) <= ID_LENGTH or not ID_CHARACTERS.issuperset(text):
            return None
        return text
    if not isinstance(value, str):
        return None
    text = unicodedata.normalize("NFC", value)
    return text if len(text) <= item.max_length and all(map(_printable, text)) else None


def _printable(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")


def _expected(item: Input) -> str:
    if item.kind == "id":
        return f"expected an id of 1..{ID_LENGTH} characters out of A-Z a-z 0-9 . _ : -"
    return f"expected a text of at most {item.max_length} characters without control characters"


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
