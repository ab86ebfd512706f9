"""W3C Trace Context: the trace that a command belongs to goes on in what follows from it."""

import re
from typing import Final

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_USUAL: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]")
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_SAMPLED: Final = 0x01
_RANDOM: Final = 0x02


def usable_traceparent(text: str) -> str | None:
    """Gives a `traceparent` as version 00 writes it; None where W3C has receivers ignore it."""
    if _USUAL.fullmatch(text) is not None:
        return text
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more is not None) or trace == _NO_TRACE or span == _NO_SPAN:
        return None
    return f"00-{trace}-{span}-{int(flags, 16) & (_SAMPLED | _RANDOM):02x}"


def with_parent(traceparent: str, span: str) -> str:
    """Gives the `traceparent` of the same trace that names another span (16 hexadecimal digits)."""
    return f"{traceparent[:36]}{span}{traceparent[52:]}"


def trace_of(traceparent: str) -> str:
    """Gives the id of the trace."""
    return traceparent[3:35]


def span_of(traceparent: str) -> str:
    """Gives the id of the span that is named as the parent."""
    return traceparent[36:52]


def is_sampled(traceparent: str) -> bool:
    """Whether the sender records the trace."""
    return traceparent[-1] in "13"
