"""What an expression in PromQL asks for: its selectors, and the labels that it groups by."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_:][\w:]*|\[[^\]]*\]|\d[\w.]*|=~|!~|!=|\S')
_NAME: Final = re.compile(r"[A-Za-z_:]")
_GROUPING: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_AFTER_FUNCTION: Final = frozenset({"(", "by", "without"})
_WORDS: Final = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan"})


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric with the labels that must match; `ranged` when it asks for a time and not for now."""

    metric: str
    matchers: Mapping[str, str]
    ranged: bool
    text: str


def selectors(expr: str) -> list[Selector]:
    """Every selector of an expression."""
    return list(_selectors(_TOKEN.findall(expr)))


def grouped_by(expr: str) -> set[str]:
    """Every label that something is grouped or matched by."""
    tokens = _TOKEN.findall(expr)
    return {
        label
        for at, token in enumerate(tokens)
        if token in _GROUPING
        for label in _until(tokens, at + 2, ")")
        if label != ","
    }


def _selectors(tokens: list[str]) -> Iterator[Selector]:
    at = 0
    while at < len(tokens):
        token, at = tokens[at], at + 1
        following = tokens[at] if at < len(tokens) else ""
        if token in _GROUPING:
            at += len(_until(tokens, at + 1, ")")) + 2
        elif _NAME.match(token) and token not in _WORDS and following not in _AFTER_FUNCTION:
            inside = _until(tokens, at + 1, "}") if following == "{" else []
            at += len(inside) + 2 if inside else 0
            ranged = at < len(tokens) and tokens[at].startswith("[")
            matchers = {inside[i]: inside[i + 2].strip('"') for i in range(0, len(inside), 4)}
            yield Selector(token, matchers, ranged, f"{token}{{{''.join(inside)}}}")


def _until(tokens: list[str], at: int, end: str) -> list[str]:
    return tokens[at : tokens.index(end, at)]
